"""What happened to one task, in order: a line for each event, with how long after the start it was.

Owns which records are one event told twice, and what a line says. Attempts have the numbers that they have in
the graph of the same history: both are put together by the same steps. Of children only what the task itself
was told is here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct, field

from relayna.events import DeliveryRepeated, TaskResourceSampled
from relayna.events.vocabulary import CLOSING_TYPES, FAILED_TYPES, RECEIVED_TYPES
from relayna.ids import EventId, TaskId
from relayna.instants import UNTIMED, Instant, format_instant, milliseconds_between
from relayna.projections.attempt_nodes import due_at
from relayna.projections.attempts import Attempt
from relayna.projections.attribution import OBSERVED, Attribution
from relayna.projections.completeness import has_observations, known_gaps
from relayna.projections.event_words import event_words
from relayna.projections.execution import GraphQuery
from relayna.projections.execution_state import ExecutionState, TaskRecords, apply, initial, restore, snapshot
from relayna.projections.gathering import gather_task_run
from relayna.projections.ordering import PlacedEvent
from relayna.projections.projection import Projection
from relayna.projections.task_nodes import attribution_of_status
from relayna.projections.task_run import TaskRun

__all__ = ["TIMELINE", "Timeline", "TimelineEntry", "TimelineProjection"]

_OF_ATTEMPTS: Final = (*RECEIVED_TYPES, *FAILED_TYPES, *CLOSING_TYPES, TaskResourceSampled, DeliveryRepeated)


class TimelineEntry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event. What does not apply is left out."""

    event_id: EventId
    event_type: str
    text: str
    """In words, for people; it may hold any text of the user's."""
    timestamp: str | None = None
    """As the worker's own clock told it: an effect may be earlier than its cause."""
    offset_ms: int | None = None
    """After `first_at`; negative where a clock is late."""
    attempt: int | None = None
    """Its number within the task, or within `stage`, as in the graph."""
    attempt_ref: str | None = None
    """The attempt's id: `annotations.ref` of its node in the graph."""
    inferred: bool = False
    """The attempt is not known from recorded ids."""
    stage: str | None = None
    queue_name: str | None = None
    consumer_name: str | None = None
    status: str | None = None
    exception_type: str | None = None
    exception_message: str | None = None
    queue_wait_ms: int | None = None
    """Where an attempt begins: how long its message had waited after it was due."""
    duration_ms: int | None = None
    """Where an attempt ends: how long it took."""
    told_again: int = 0
    """How many more records tell the same: a status that a store keeps and a hub relays."""


class Timeline(Struct, kw_only=True):
    """Everything that is known to have happened to the task."""

    task_id: TaskId
    first_at: str | None
    """The time of the first event that tells one."""
    last_at: str | None
    """The latest time that any event tells."""
    duration_ms: int | None
    graph_completeness: Literal["full", "partial"]
    """Of the task's own history."""
    missing: list[str] = field(default_factory=list)
    """The reasons why it is partial."""
    entries: list[TimelineEntry] = field(default_factory=list)


TimelineProjection: TypeAlias = Projection[ExecutionState, GraphQuery, Timeline]


def _finish(state: ExecutionState, query: GraphQuery) -> Timeline:
    """Of the query, only `at` matters: all else is about other tasks, or about drawing."""
    records = state.tasks.get(state.root) or TaskRecords()
    run = whole = gather_task_run(state.root, records.events)
    missing = {gap.reason for gap in known_gaps(whole, records.facts)}
    if not has_observations(whole):
        missing.add("no_observations")
    if query.at is not None:
        events = {own: one for own, one in records.events.items() if one.envelope.timestamp <= query.at}
        run = gather_task_run(state.root, events)
    times = [placed.time for placed in run.ordered if placed.time != UNTIMED]
    # The first in order: the earliest time of all may be that of a clock that is hours late.
    first, last = (times[0], max(times)) if times else (None, None)
    return Timeline(
        task_id=state.root,
        first_at=None if first is None else format_instant(first),
        last_at=None if last is None else format_instant(last),
        duration_ms=None if first is None or last is None else milliseconds_between(first, last),
        graph_completeness="partial" if missing else "full",
        missing=sorted(missing),
        entries=list(_entries(run, first)),
    )


TIMELINE: Final[TimelineProjection] = Projection(
    name="timeline",
    version=1,
    initial=initial,
    apply=apply,
    finish=_finish,
    snapshot=snapshot,
    restore=restore,
)
"""The projection."""


def _entries(run: TaskRun, start: Instant | None) -> Iterable[TimelineEntry]:
    tellings = _tellings(run)
    by = _known_attributions(run)
    waits = {attempt.opened.own_id: attempt for attempt in run.attempts.members if attempt.opened}
    ends = {attempt.closing.own_id: attempt for attempt in run.attempts.members if attempt.closing}
    for placed in run.ordered:
        own_id = placed.own_id
        if own_id not in tellings.again:
            yield _entry(
                placed,
                start,
                by=by.get(own_id) or _attribution(run, placed),
                queue_wait_ms=_queue_wait(waits.get(own_id)),
                duration_ms=_duration(ends.get(own_id)),
                told_again=tellings.times.get(own_id, 0),
            )


class _Tellings(Struct):
    """Records that tell again what another one tells, and how many there are for each of those."""

    again: set[EventId] = field(default_factory=set)
    times: dict[EventId, int] = field(default_factory=dict)

    def add(self, placed: PlacedEvent, others: Sequence[PlacedEvent]) -> None:
        """One fact: the record that stands for it, and the others."""
        self.times[placed.own_id] = len(others)
        self.again.update(other.own_id for other in others)


def _tellings(run: TaskRun) -> _Tellings:
    tellings = _Tellings()
    for status in run.statuses:
        tellings.add(status.placed, status.others)
    for letter in run.letters:
        tellings.add(letter.placed, letter.others)
    return tellings


def _known_attributions(run: TaskRun) -> dict[EventId, Attribution]:
    """Of facts of which several records may know the attempt: as the graph has them."""
    statuses = {status.placed.own_id: attribution_of_status(run, status) for status in run.statuses}
    return statuses | {letter.placed.own_id: letter.by for letter in run.letters}


def _attribution(run: TaskRun, placed: PlacedEvent) -> Attribution:
    """Only what attempts tell is theirs by time; the rest where ids say so."""
    if isinstance(placed.event.body, _OF_ATTEMPTS):
        return run.attribute(placed)
    return Attribution(run.attempts.with_id(placed.event.envelope.attempt_id), OBSERVED)


def _entry(
    placed: PlacedEvent,
    start: Instant | None,
    *,
    by: Attribution,
    queue_wait_ms: int | None,
    duration_ms: int | None,
    told_again: int,
) -> TimelineEntry:
    body, time = placed.event.body, placed.time
    timed = time != UNTIMED and start is not None
    attempt = by.attempt
    received = attempt.received if attempt is not None else None
    return TimelineEntry(
        event_id=placed.own_id,
        event_type=type(body).__name__,
        text=event_words(body),
        timestamp=format_instant(time) if timed else None,
        offset_ms=(time - start) // 1000 if timed and start is not None else None,
        attempt=None if attempt is None else attempt.number,
        attempt_ref=None if attempt is None else attempt.ref,
        inferred=attempt is not None and by.evidence == "inferred",
        stage=(attempt.stage if attempt is not None else None) or getattr(body, "stage", None),
        queue_name=getattr(body, "queue_name", None) or (received.queue_name if received else None),
        consumer_name=getattr(body, "consumer_name", None) or (received.consumer_name if received else None),
        status=getattr(body, "status", None),
        exception_type=getattr(body, "exception_type", None),
        exception_message=getattr(body, "exception_message", None),
        queue_wait_ms=queue_wait_ms,
        duration_ms=duration_ms,
        told_again=told_again,
    )


def _queue_wait(attempt: Attempt | None) -> int | None:
    due = None if attempt is None else due_at(attempt)
    if attempt is None or due is None or UNTIMED in (due, attempt.begun):
        return None
    return milliseconds_between(due, attempt.begun)


def _duration(attempt: Attempt | None) -> int | None:
    closed_at = None if attempt is None else attempt.closed_at
    if attempt is None or closed_at is None or UNTIMED in (closed_at, attempt.begun):
        return None
    return milliseconds_between(attempt.begun, closed_at)
