"""The three kinds of rows of a session as lines of JSON: spans, assets, and what was made from what.

Owns their names and shapes, in both directions: what is sent out can be sent in. How spans are written is
`otel_json.py`'s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final, Literal, TypeAlias, get_args

import msgspec
from msgspec import Struct

from relayna.errors import RelaynaError
from relayna.events import Envelope, Event, OutputRecorded, SpanEnded
from relayna.ids import EventId, MessageId, TaskId, message_event_id
from relayna.instants import Instant, format_instant, parse_instant
from relayna.observability.trace.otel_json import BadSpan, span_from_json, span_line
from relayna.projections.trace.profile import LineageRow
from relayna.projections.trace.recorded import TraceRows, span_fault
from relayna.projections.trace.spans import TraceHistory

__all__ = [
    "ROW_TYPES",
    "AssetRow",
    "BadRow",
    "RowType",
    "UnknownRowType",
    "checked_row_type",
    "event_of_row",
    "row_lines",
]

RowType: TypeAlias = Literal["spans", "assets", "lineage"]
ROW_TYPES: Final[tuple[RowType, ...]] = get_args(RowType)

_MOST_SAID: Final = 200
_SOURCES_ALONE: Final = 0
"""The version of what is no version of an asset, and only says what data was made from."""


class UnknownRowType(RelaynaError):
    """There are no rows of this name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"There are no rows {name[:80]!r}; there are {', '.join(ROW_TYPES)}.")


class BadRow(ValueError):
    """A line that is no such row; says why."""


class AssetRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of an asset."""

    data_id: str
    asset_guid: str | None = None
    version: int = 1
    user_id: str | None = None
    payload_bytes: int | None = None
    created_at: str | None = None


class _LineageLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    data_id: str
    source_data_id: str
    created_at: str | None = None


def checked_row_type(name: str) -> RowType:
    """The rows of this name. Raises `UnknownRowType`."""
    for known in ROW_TYPES:
        if name == known:
            return known
    raise UnknownRowType(name)


def row_lines(kind: RowType, rows: TraceRows, history: TraceHistory) -> Iterator[bytes]:
    """The session's rows of one kind, in order of time, each as a line without its end."""
    match kind:
        case "spans":
            for told in sorted(rows.spans, key=lambda one: (one.body.started_at, one.body.ended_at)):
                yield span_line(told, history.session_id)
        case "assets":
            for output in sorted(rows.outputs, key=lambda one: (one.at, one.body.data_id)):
                body = output.body
                if body.version > _SOURCES_ALONE:
                    yield msgspec.json.encode(
                        AssetRow(
                            data_id=body.data_id,
                            asset_guid=body.asset_guid or body.data_id,
                            version=body.version,
                            user_id=body.user_id,
                            payload_bytes=body.payload_bytes,
                            created_at=format_instant(output.at),
                        )
                    )
        case "lineage":
            for source in sorted(history.sources, key=lambda one: (one.created_at, one.data_id, one.place)):
                yield msgspec.json.encode(
                    LineageRow(
                        data_id=source.data_id,
                        source_data_id=source.source_data_id,
                        created_at=format_instant(source.created_at),
                    )
                )


def event_of_row(kind: RowType, line: bytes, *, task_id: TaskId, now: Instant) -> Event:
    """What a line tells of the task, as a fact. The same line is the same fact, however often it is sent.

    Raises `BadRow`.
    """
    try:
        body, at = _span(line) if kind == "spans" else _output(kind, line, now)
    except BadSpan as error:
        raise BadRow(str(error)) from None
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRow(
            f"it is no such row: {str(error)[:_MOST_SAID]}"
        ) from None  # it may quote all of the line
    digest = hashlib.sha256(line.strip()).hexdigest()[:32]
    event_id: EventId = message_event_id(MessageId(digest), f"uploaded_{kind}")
    return Event(envelope=Envelope(event_id=event_id, timestamp=at, task_id=task_id), body=body)


def _span(line: bytes) -> tuple[SpanEnded, Instant]:
    span = span_from_json(line)
    fault = span_fault(span)
    if fault is not None:
        raise BadRow(fault)
    return span, span.ended_at


def _output(kind: RowType, line: bytes, now: Instant) -> tuple[OutputRecorded, Instant]:
    if kind == "lineage":
        told = msgspec.json.decode(line, type=_LineageLine)
        _check(told.data_id and told.source_data_id, "an id is empty")
        body = OutputRecorded(data_id=told.data_id, sources=(told.source_data_id,), version=_SOURCES_ALONE)
        return body, _time(told.created_at, now)
    asset = msgspec.json.decode(line, type=AssetRow)
    _check(asset.data_id, "data_id is empty")
    _check(1 <= asset.version < 2**53, "version is no number from 1")
    _check(
        asset.payload_bytes is None or 0 <= asset.payload_bytes < 2**53, "payload_bytes is no number of bytes"
    )
    body = OutputRecorded(
        data_id=asset.data_id,
        asset_guid=asset.asset_guid,
        version=asset.version,
        user_id=asset.user_id,
        payload_bytes=asset.payload_bytes,
    )
    return body, _time(asset.created_at, now)


def _time(told: str | None, now: Instant) -> Instant:
    if told is None:
        return now
    found = parse_instant(told)
    if found is None:
        raise BadRow("created_at is no time")
    return found


def _check(holds: object, problem: str) -> None:
    if not holds:
        raise BadRow(problem)
