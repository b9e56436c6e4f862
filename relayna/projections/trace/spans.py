"""What trace analysis is told: timed phases, outputs, and what they were made from.

Owns the shapes. Times are instants (microseconds); a run is known by the id of its data.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from msgspec import Struct, field

from relayna.instants import Instant

__all__ = ["DUMP", "TASK", "Output", "Source", "Span", "SpanType", "TraceHistory", "Wait", "seconds"]

SpanType: TypeAlias = Literal["compute", "network", "marker"]

TASK: Final = "task"
"""The span around a whole attempt."""
DUMP: Final = "dump to storage"
"""The span at whose end an output can be read by others."""


class Span(Struct, frozen=True, kw_only=True):
    """A phase of a run, with its beginning and its end."""

    name: str
    type: SpanType
    data_id: str
    start: Instant
    end: Instant
    span_id: str = ""
    parent_span_id: str | None = None
    batch_id: str | None = None
    """The work that it was done for; in merged batches the id of the merge parent."""
    attempt_id: str | None = None

    @property
    def duration(self) -> int:
        """Microseconds, never less than 0."""
        return max(self.end - self.start, 0)


class Output(Struct, frozen=True, kw_only=True):
    """Data that a run produced: one version of an asset."""

    data_id: str
    asset_guid: str
    version: int = 1
    user_id: str | None = None
    created_at: Instant


class Source(Struct, frozen=True, kw_only=True):
    """One thing that a run was made from."""

    data_id: str
    source_data_id: str
    created_at: Instant
    place: int = 0
    """Among what was told at once."""


class Wait(Struct, frozen=True, kw_only=True):
    """A time in which a run's handler waited, and did no work."""

    data_id: str
    start: Instant
    end: Instant
    woken_by: str | None = None
    """The run whose end it waited for."""


class TraceHistory(Struct, frozen=True, kw_only=True):
    """All that is told of one session."""

    session_id: str
    spans: list[Span]
    outputs: list[Output]
    sources: list[Source]
    waited_since: dict[str, Instant] = field(default_factory=dict)
    """Of runs without recorded spans, from when on they could have been handled; of others, sources tell it."""
    waits: list[Wait] = field(default_factory=list)


def seconds(microseconds: float) -> float:
    """As analyses show it, to the microsecond.

    >>> seconds(2_666_666.6667)
    2.666667
    """
    return round(microseconds / 1_000_000, 6)
