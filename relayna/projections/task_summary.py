"""A task in one row: what lists show of it, and its share of the statistics. Told by its own stream alone.

Owns the shape, and that it says what the graph of the same history says: it is folded from the same state, and
put together by the same steps. Draws nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from relayna.events import ChildFinished
from relayna.events.status import TERMINAL_STATUSES
from relayna.ids import TaskId
from relayna.instants import UNTIMED, Instant, milliseconds_between
from relayna.projections.chosen_kind import chosen_kind
from relayna.projections.completeness import has_observations, known_gaps
from relayna.projections.execution import GraphQuery
from relayna.projections.execution_state import ExecutionState, TaskRecords, apply, initial, restore, snapshot
from relayna.projections.failures_of import FAILURES_KEPT, FailedAttempt, failures_of
from relayna.projections.gathering import gather_task_run
from relayna.projections.graph import NodeState
from relayna.projections.kinship import first_parent_told
from relayna.projections.letters_of import LETTERS_KEPT, LetterSummary, letters_of
from relayna.projections.projection import Projection
from relayna.projections.statistics import AttemptCount, counts_of_attempts
from relayna.projections.task_nodes import task_state
from relayna.projections.task_run import TaskRun

__all__ = ["TASK_SUMMARY", "TaskAccount", "TaskSummary", "TaskSummaryProjection", "account_and_run"]

_NAMES_KEPT: Final = 50
"""Queues, stages and handlers of one task; more are a loop's, and lists need not tell them apart."""


class TaskSummary(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One task, as its own stream tells of it."""

    task_id: TaskId
    topology_kind: str
    status: str | None = None
    """The latest, as the graph's summary has it."""
    state: NodeState
    """Of the graph's root."""
    task_type: str | None = None
    """The first told."""
    correlation_id: str | None = None
    session_id: str | None = None
    parent_task_id: TaskId | None = None
    queue_names: tuple[str, ...] = ()
    """From which it was delivered, in order of their names; likewise the next two."""
    stages: tuple[str, ...] = ()
    consumer_names: tuple[str, ...] = ()
    started_at: Instant | None = None
    """As the graph without children's own histories has it; so also the end and the duration."""
    updated_at: Instant | None = None
    """The latest time that any of its records tells."""
    ended_at: Instant | None = None
    duration_ms: int | None = None
    attempts: int = 0
    retries: int = 0
    dead_letters_open: int = 0
    dead_letters_replayed: int = 0
    children: int = 0
    """Of which its own stream speaks."""
    completeness: Literal["full", "partial"]
    """Of its own history; what children lack, only the graph tells."""
    missing: tuple[str, ...] = ()
    """The reasons why it is partial."""
    failures: tuple[FailedAttempt, ...] = ()
    """The newest, oldest first."""
    failures_told: int = 0
    """How many attempts failed in all."""
    dead_letters: tuple[LetterSummary, ...] = ()
    """The newest, oldest first."""


class TaskAccount(Struct, frozen=True, kw_only=True):
    """All that read models keep of a task."""

    summary: TaskSummary
    counts: list[AttemptCount]


TaskSummaryProjection: TypeAlias = Projection[ExecutionState, GraphQuery, TaskAccount]


def _finish(state: ExecutionState, query: GraphQuery) -> TaskAccount:
    return account_and_run(state, query)[0]


def account_and_run(state: ExecutionState, query: GraphQuery) -> tuple[TaskAccount, TaskRun]:
    """What the projection says, and the history put together, for who folds more from it.

    Of the query, `at` and `terminal_statuses` matter: nothing else of it is about the task's own stream.
    """
    records = state.tasks.get(state.root) or TaskRecords()
    terminal = TERMINAL_STATUSES.union(query.terminal_statuses)
    whole = gather_task_run(state.root, records.events)
    missing = {gap.reason for gap in known_gaps(whole, records.facts)}
    if not has_observations(whole):
        missing.add("no_observations")
    run = whole
    if query.at is not None:
        events = {own: one for own, one in records.events.items() if one.envelope.timestamp <= query.at}
        run = gather_task_run(state.root, events)
    kinds = (fact.value or "" for fact in records.facts if fact.name == "topology_kind")
    summary = _summary(run, chosen_kind(kinds), task_state(run, terminal), tuple(sorted(missing)))
    return TaskAccount(summary=summary, counts=counts_of_attempts(run)), run


TASK_SUMMARY: Final[TaskSummaryProjection] = Projection(
    name="task_summary",
    version=1,
    initial=initial,
    apply=apply,
    finish=_finish,
    snapshot=snapshot,
    restore=restore,
)
"""The projection. Raise its version when rows say something else: stored ones are then folded anew."""


def _summary(run: TaskRun, kind: str, state: NodeState, missing: tuple[str, ...]) -> TaskSummary:
    events = [placed.event for placed in run.ordered]
    envelopes = [event.envelope for event in events]
    received = [attempt.received for attempt in run.attempts.members if attempt.received]
    failures, letters = failures_of(run), letters_of(run)
    replayed = sum(letter.replayed for letter in letters)
    started, ended = _span(run)
    return TaskSummary(
        task_id=run.task_id,
        topology_kind=kind,
        status=run.statuses[-1].text if run.statuses else None,
        state=state,
        task_type=_first(getattr(event.body, "task_type", None) for event in events),
        correlation_id=_first(envelope.correlation_id for envelope in envelopes),
        session_id=_first(envelope.session_id for envelope in envelopes),
        parent_task_id=first_parent_told(events),
        queue_names=_names(body.queue_name for body in received),
        stages=_names(attempt.stage for attempt in run.attempts.members),
        consumer_names=_names(body.consumer_name for body in received),
        started_at=started,
        updated_at=max((one.timestamp for one in envelopes if one.timestamp != UNTIMED), default=None),
        ended_at=ended,
        duration_ms=None if started is None or ended is None else milliseconds_between(started, ended),
        attempts=len(run.attempts.members),
        retries=len(run.retries),
        dead_letters_open=len(letters) - replayed,
        dead_letters_replayed=replayed,
        children=len(run.children),
        completeness="partial" if missing else "full",
        missing=missing,
        failures=tuple(failures[-FAILURES_KEPT:]),
        failures_told=len(failures),
        dead_letters=tuple(letters[-LETTERS_KEPT:]),
    )


def _span(run: TaskRun) -> tuple[Instant | None, Instant | None]:
    """When it began and ended, by the rule of the graph's summary."""
    drawn = [time for time in _drawn_times(run) if time != UNTIMED]
    closed = (attempt.closed_at for attempt in run.attempts.members)
    ends = [time for time in closed if time is not None and time != UNTIMED]
    latest = run.statuses[-1].placed.time if run.statuses else UNTIMED
    ended = latest if latest != UNTIMED else max((*drawn, *ends), default=None)
    return min(drawn, default=None), ended


def _drawn_times(run: TaskRun) -> Iterator[Instant]:
    """The times of the task's own nodes and edges."""
    yield from (attempt.begun for attempt in run.attempts.members)
    yield from (status.placed.time for status in run.statuses)
    yield from (retry.placed.time for retry in run.retries)
    yield from (letter.placed.time for letter in run.letters)
    yield from (placed.time for placed in run.opaque)
    for message in run.messages.values():
        first = message.first()
        if first is not None:
            yield first.time
        for attempt in message.joined:
            if attempt.closed_at is not None and attempt.message_node != message.node_id:
                yield attempt.closed_at
    for child in run.children.values():
        if child.finished is not None and isinstance(child.finished.event.body, ChildFinished):
            yield child.finished.time


def _first(told: Iterable[str | None]) -> str | None:
    return next((one for one in told if one), None)


def _names(told: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(islice(sorted({one for one in told if one}), _NAMES_KEPT))
