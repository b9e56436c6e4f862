"""What analysis is told of runs that recorded no span: their attempts, when they were published, their parents.

Owns what stands for a span, an output and a source there: an attempt is the run's `task` span and a compute
span of whoever handled it; it waited from its publish, or from the end of the attempt before; it was made from
its parent. While it waits inside, it computes nothing. Pure, and linear.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from relayna.events import (
    RecordedEvent,
    SpanEnded,
    TaskMessageReceived,
    TaskPublished,
    WorkflowMessagePublished,
    WorkflowMessageReceived,
)
from relayna.events.vocabulary import CLOSING_TYPES
from relayna.ids import TaskId
from relayna.instants import Instant
from relayna.projections.kinship import parent_told_by
from relayna.projections.trace.names import derived_span_id
from relayna.projections.trace.recorded import ToldSpan, TraceRows, gather_rows, history_of
from relayna.projections.trace.spans import TASK, Source, TraceHistory, Wait
from relayna.projections.trace.waits import waits_told, worked_between

__all__ = ["FROM", "PlainRun", "plain_history", "plain_runs", "session_rows"]

FROM: Final = "relayna.from"
"""The attribute of a span that nobody recorded: it says `attempt`."""
_ATTEMPT: Final = {FROM: "attempt"}


class _Attempt(Struct, kw_only=True):
    began: Instant
    ended: Instant
    handler: str
    stage: str | None


class PlainRun(Struct, kw_only=True):
    """One task, as its own stream tells it."""

    task_id: TaskId
    parent: TaskId | None = None
    published: list[Instant] = field(default_factory=list)
    attempts: dict[str, _Attempt] = field(default_factory=dict)
    lasts: dict[str, Instant] = field(default_factory=dict)
    """When each attempt told its last event: the one that closes it, where there is one."""
    first: Instant | None = None
    """The time of its first event."""
    waits: list[Wait] = field(default_factory=list)

    @property
    def waited_since(self) -> Instant | None:
        """From when on it could have been handled as it was at last: a retry waits from the end of what failed."""
        attempts = sorted(self.attempts.values(), key=lambda one: one.began)
        if not attempts:
            return None
        staged = attempts[0].stage is not None
        start = attempts[0].began if staged else attempts[-1].began
        told = [*self.published, *([] if staged else [one.ended for one in attempts[:-1]])]
        return max((one for one in told if one <= start), default=min(told, default=None))


def plain_history(session_id: str, events: Iterable[RecordedEvent]) -> TraceHistory:
    """A session's history from its attempts alone, whatever spans it has."""
    runs = plain_runs(list(events))
    rows = TraceRows(spans=[told for run in runs.values() for told in _spans(run)])
    return _completed(history_of(session_id, rows), runs, set())


def session_rows(session_id: str, events: Iterable[RecordedEvent]) -> tuple[TraceRows, TraceHistory]:
    """The rows and the history of a session: what was recorded, and for tasks without a span, their attempts.

    A run whose sources nobody recorded was made from its parent.
    """
    events = list(events)
    rows = gather_rows(events)
    runs = plain_runs(events)
    recorded = {told.task_id for told in rows.spans}
    for run in runs.values():
        if run.task_id not in recorded:
            rows.spans += _spans(run)
    return rows, _completed(history_of(session_id, rows), runs, recorded)


def plain_runs(events: Sequence[RecordedEvent]) -> dict[TaskId, PlainRun]:
    """Every task that the events are of, in the order in which they come."""
    runs: dict[TaskId, PlainRun] = {}
    for event in events:
        envelope, body = event.envelope, event.body
        run = runs.get(envelope.task_id)
        if run is None:
            run = runs[envelope.task_id] = PlainRun(task_id=envelope.task_id)
        at = envelope.timestamp
        if run.first is None or at < run.first:
            run.first = at
        if run.parent is None:
            run.parent = parent_told_by(event)
        if isinstance(body, TaskPublished) or (
            isinstance(body, WorkflowMessagePublished) and body.origin_stage is None
        ):
            run.published.append(at)
        elif isinstance(body, TaskMessageReceived | WorkflowMessageReceived):
            _begin(run, event, body)
        elif envelope.attempt_id is not None and (
            envelope.seq is not None or isinstance(body, CLOSING_TYPES)
        ):
            run.lasts[envelope.attempt_id] = max(run.lasts.get(envelope.attempt_id, at), at)
    for wait in waits_told(events):
        runs[TaskId(wait.data_id)].waits.append(wait)
    _end(runs.values())
    return runs


def _end(runs: Iterable[PlainRun]) -> None:
    for run in runs:
        for ref, attempt in run.attempts.items():
            attempt.ended = max(attempt.began, run.lasts.get(ref, attempt.began))


def _begin(run: PlainRun, event: RecordedEvent, body: TaskMessageReceived | WorkflowMessageReceived) -> None:
    at, ref = event.envelope.timestamp, event.envelope.attempt_id or event.envelope.event_id
    stage = body.stage if isinstance(body, WorkflowMessageReceived) else None
    task_type = body.task_type if isinstance(body, TaskMessageReceived) else None
    handler = stage or task_type or body.consumer_name or body.queue_name or "handler"
    run.attempts.setdefault(ref, _Attempt(began=at, ended=at, handler=handler, stage=stage))


def _spans(run: PlainRun) -> list[ToldSpan]:
    """Of a workflow's task one `task` span around all stages, else one for each attempt; and who handled it."""
    attempts = sorted(run.attempts.items(), key=lambda item: item[1].began)
    if not attempts:
        return []
    staged = any(attempt.stage is not None for _, attempt in attempts)
    tasks = [(None, _around(one for _, one in attempts))] if staged else attempts
    told: list[ToldSpan] = []
    numbers: dict[str | None, str] = {}
    for ref, attempt in tasks:
        numbers[ref] = derived_span_id(ref or run.task_id, 0)
        told.append(_told(run, ref, attempt, name=TASK, span_id=numbers[ref]))
    for ref, attempt in attempts:
        parent = None if staged else ref
        for number, (began, ended) in enumerate(worked_between(attempt.began, attempt.ended, run.waits), 1):
            told.append(
                _told(
                    run,
                    parent,
                    replace(attempt, began=began, ended=ended),
                    name=attempt.handler,
                    span_id=derived_span_id(ref, number),
                    parent_span_id=numbers[parent],
                    batch_id=run.task_id,
                )
            )
    return told


def _around(attempts: Iterable[_Attempt]) -> _Attempt:
    inside = list(attempts)
    return _Attempt(
        began=min(one.began for one in inside),
        ended=max(one.ended for one in inside),
        handler="",
        stage=None,
    )


def _told(
    run: PlainRun,
    attempt_id: str | None,
    attempt: _Attempt,
    *,
    name: str,
    span_id: str,
    parent_span_id: str | None = None,
    batch_id: str | None = None,
) -> ToldSpan:
    body = SpanEnded(
        name=name,
        started_at=attempt.began,
        ended_at=attempt.ended,
        span_id=span_id,
        parent_span_id=parent_span_id,
        batch_id=batch_id,
        attributes=dict(_ATTEMPT),
    )
    return ToldSpan(body=body, data_id=run.task_id, task_id=run.task_id, attempt_id=attempt_id)


def _completed(history: TraceHistory, runs: Mapping[TaskId, PlainRun], recorded: set[TaskId]) -> TraceHistory:
    """With the parents of runs that name no source, waits of handlers, and the waiting of runs without a span."""
    named = {source.data_id for source in history.sources}
    parents = [
        Source(data_id=run.task_id, source_data_id=run.parent, created_at=run.first)
        for run in runs.values()
        if run.parent is not None and run.first is not None and run.task_id not in named
    ]
    waited = {
        str(run.task_id): since
        for run in runs.values()
        if run.task_id not in recorded and (since := run.waited_since) is not None
    }
    waits = [wait for run in runs.values() for wait in run.waits]
    return replace(history, sources=history.sources + parents, waited_since=waited, waits=waits)
