"""Where a handler's time went, and what came of it: timed phases and the data produced.

Owns shapes only; fields are append-only. Spans come from handlers, or were uploaded.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from relayna.instants import Instant

__all__ = ["OutputRecorded", "SpanEnded"]


class SpanEnded(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """A phase of a run is over. Times are microseconds, UTC, by the clock of the process that says so."""

    name: str
    started_at: Instant
    ended_at: Instant
    type: str = "compute"
    """`compute`, `network` or `marker`."""
    data_id: str | None = None
    """The data that it was worked on; the task's id where a handler says nothing else."""
    span_id: str | None = None
    """16 hexadecimal characters."""
    parent_span_id: str | None = None
    batch_id: str | None = None
    """The work that it was done for; in merged batches the data of the merge parent."""
    payload_bytes: int | None = None
    trace_id: str | None = None
    """32 hexadecimal characters; where none is told, the session's own."""
    linked_to: str | None = None
    """The `traceparent` that the message carried."""
    attributes: dict[str, Any] | None = None  # Any: OpenTelemetry attributes that have no field here


class OutputRecorded(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """A run produced data that others can read."""

    data_id: str
    sources: tuple[str, ...] = ()
    """The data that it was made from, each once."""
    asset_guid: str | None = None
    """The asset that it is a version of; the data itself where none is told."""
    version: int = 1
    """Of the asset, from 1; with 0 it is no version of any, and only says what the data was made from."""
    user_id: str | None = None
    """Whose it is."""
    payload_bytes: int | None = None
