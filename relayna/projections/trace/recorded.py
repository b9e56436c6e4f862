"""What analysis is told, from recorded events: spans, outputs and what they were made from.

Owns which recorded spans and outputs are sound; the others are left out, and counted. Pure, and linear.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct, field

from relayna.events import OutputRecorded, RecordedEvent, SpanEnded
from relayna.ids import EventId, TaskId
from relayna.instants import Instant
from relayna.projections.trace.names import ATTEMPT_ID, SPAN_TYPES
from relayna.projections.trace.spans import Output, Source, Span, TraceHistory

__all__ = [
    "ToldOutput",
    "ToldSpan",
    "TraceRows",
    "gather_rows",
    "history_of",
    "recorded_history",
    "span_fault",
]

_EARLIEST: Final = -62_135_596_800_000_000
_LATEST: Final = 253_402_300_799_999_999
"""What a calendar holds."""


class ToldSpan(Struct, frozen=True, kw_only=True):
    """A sound span: it names its data."""

    body: SpanEnded
    data_id: str
    task_id: TaskId
    attempt_id: str | None = None


class ToldOutput(Struct, frozen=True, kw_only=True):
    """A sound output, and when it was recorded."""

    body: OutputRecorded
    task_id: TaskId
    at: Instant


class TraceRows(Struct, kw_only=True):
    """Everything that was told, each fact once, in the order in which it was read."""

    spans: list[ToldSpan] = field(default_factory=list)
    outputs: list[ToldOutput] = field(default_factory=list)
    dropped: int = 0
    """Those that were not sound."""


def recorded_history(session_id: str, events: Iterable[RecordedEvent]) -> TraceHistory:
    """A session's history, from the recorded events of all its tasks."""
    return history_of(session_id, gather_rows(events))


def gather_rows(events: Iterable[RecordedEvent]) -> TraceRows:
    """The spans and outputs among the events. A fact that is stored twice counts once."""
    rows = TraceRows()
    seen: set[tuple[TaskId, EventId]] = set()
    for event in events:
        body, envelope = event.body, event.envelope
        if not isinstance(body, SpanEnded | OutputRecorded):
            continue
        fact = (envelope.task_id, envelope.event_id)
        if fact in seen:
            continue
        seen.add(fact)
        if isinstance(body, SpanEnded):
            if span_fault(body) is not None:
                rows.dropped += 1
                continue
            rows.spans.append(
                ToldSpan(
                    body=body,
                    data_id=body.data_id or envelope.task_id,
                    task_id=envelope.task_id,
                    attempt_id=envelope.attempt_id or _attempt_told(body),
                )
            )
        elif body.data_id and body.version >= 0:
            rows.outputs.append(ToldOutput(body=body, task_id=envelope.task_id, at=envelope.timestamp))
        else:
            rows.dropped += 1
    return rows


def history_of(session_id: str, rows: TraceRows) -> TraceHistory:
    """What analysis reads of these rows."""
    return TraceHistory(
        session_id=session_id,
        spans=[_span(told) for told in rows.spans],
        outputs=[_output(told) for told in rows.outputs if told.body.version > 0],
        sources=[
            Source(data_id=told.body.data_id, source_data_id=source, created_at=told.at, place=place)
            for told in rows.outputs
            for place, source in enumerate(told.body.sources)
        ],
    )


def span_fault(span: SpanEnded) -> str | None:
    """Why a span is not sound; none where it is."""
    if not span.name:
        return "it has no name"
    if span.type not in SPAN_TYPES:
        return f"its type {span.type[:40]!r} is none of {', '.join(SPAN_TYPES)}"
    if not _EARLIEST <= span.started_at <= span.ended_at <= _LATEST:
        return "it ends before it begins, or in no year that there is"
    return None


def _span(told: ToldSpan) -> Span:
    body = told.body
    return Span(
        name=body.name,
        type=body.type,  # type: ignore[arg-type]  # one of the three: it is sound
        data_id=told.data_id,
        start=body.started_at,
        end=body.ended_at,
        span_id=body.span_id or "",
        parent_span_id=body.parent_span_id,
        batch_id=body.batch_id,
        attempt_id=told.attempt_id,
    )


def _output(told: ToldOutput) -> Output:
    body = told.body
    return Output(
        data_id=body.data_id,
        asset_guid=body.asset_guid or body.data_id,
        version=body.version,
        user_id=body.user_id,
        created_at=told.at,
    )


def _attempt_told(body: SpanEnded) -> str | None:
    told = (body.attributes or {}).get(ATTEMPT_ID)
    return told if isinstance(told, str) and told else None
