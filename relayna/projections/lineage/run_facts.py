"""One task as one run: who handled it, how it stands, when it began and ended. Owns how that is read off its history."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec.structs import replace

from relayna.events import DecisionRecorded, TaskMessageReceived, TaskPublished
from relayna.events.history import StreamFact
from relayna.events.status import TERMINAL_STATUSES
from relayna.ids import EventId
from relayna.instants import UNTIMED, Instant
from relayna.projections.attempts import AGGREGATION, Attempt
from relayna.projections.chosen_kind import chosen_kind
from relayna.projections.lineage.decisions import decisions_of
from relayna.projections.lineage.run_edges import Run
from relayna.projections.outcomes import DEAD_LETTERED
from relayna.projections.task_nodes import task_state
from relayna.projections.task_run import TaskRun

__all__ = ["run_of"]

_OVER = frozenset({"succeeded", "failed", "dead_lettered", "abandoned"})


def run_of(
    run: Run,
    history: TaskRun,
    facts: Iterable[StreamFact],
    *,
    times: Mapping[EventId, Instant],
    terminal_statuses: Collection[str],
) -> Run:
    """The run, with all that its task's own history tells of it; `times` are corrected ones."""
    attempts = [attempt for attempt in history.attempts.members if attempt.lane != AGGREGATION]
    bodies = (placed.event.body for placed in history.ordered)
    state = task_state(history, TERMINAL_STATUSES.union(terminal_statuses))
    agent, ended_by = _agent(attempts), _agent(reversed(attempts))
    over = state in _OVER or (bool(history.statuses) and history.statuses[-1].text in terminal_statuses)
    return replace(
        run,
        agent=agent,
        ended_by=ended_by if ended_by != agent else None,
        workflow=_workflow(history, facts),
        status=_status(history, state, attempts),
        started_at=_told(_began(attempt, times) for attempt in attempts[:1]),
        ended_at=_told(_ends(history, attempts, times)) if over else None,
        decisions=decisions_of(body for body in bodies if isinstance(body, DecisionRecorded)),
    )


def _agent(attempts: Iterable[Attempt]) -> str | None:
    for attempt in attempts:
        queue = attempt.received.queue_name if attempt.received else None
        agent = _given_name(attempt) or attempt.stage or queue
        if agent:
            return agent
    return None


def _given_name(attempt: Attempt) -> str | None:
    """The consumer's name, unless it was named after its process: no two processes are two agents for that."""
    name = attempt.received.consumer_name if attempt.received else None
    producer = attempt.opened.event.envelope.producer if attempt.opened else None
    return None if name is None or (producer and name.endswith(f"-{producer}")) else name


def _workflow(history: TaskRun, facts: Iterable[StreamFact]) -> str | None:
    for placed in history.ordered:
        body = placed.event.body
        if isinstance(body, TaskPublished | TaskMessageReceived) and body.task_type:
            return body.task_type
    kinds = [fact.value for fact in facts if fact.name == "topology_kind" and fact.value]
    return chosen_kind(kinds) if kinds else None


def _status(history: TaskRun, state: str, attempts: Sequence[Attempt]) -> str | None:
    text = history.statuses[-1].text if history.statuses else None
    if state == "unknown":
        return text
    if state == "succeeded":
        return "completed"
    if state == "failed" and attempts and attempts[-1].outcome == DEAD_LETTERED:
        return DEAD_LETTERED.name  # what `failed` was published for
    return "cancelled" if state == "abandoned" and text == "cancelled" else state


def _began(attempt: Attempt, times: Mapping[EventId, Instant]) -> Instant:
    own_id = attempt.opened.own_id if attempt.opened else EventId(attempt.ref)
    return times.get(own_id, Instant(attempt.key[0]))


def _ends(history: TaskRun, attempts: Iterable[Attempt], times: Mapping[EventId, Instant]) -> list[Instant]:
    """The latest first: a status is told just before the attempt that tells it is over."""
    closings = [placed.own_id for attempt in attempts for placed in attempt.closings]
    statuses = [status.placed.own_id for status in history.statuses[-1:]]
    return sorted((times[own_id] for own_id in (*closings, *statuses) if own_id in times), reverse=True)


def _told(times: Iterable[Instant]) -> Instant | None:
    return next((time for time in times if time != UNTIMED), None)
