"""Retries: a copy of a message that waited, and the attempt that sent it. Owns the shape."""

from __future__ import annotations

from msgspec import Struct

from relayna.events import AggregationRetryScheduled, ConsumerRetryScheduled
from relayna.projections.attribution import Attribution
from relayna.projections.ordering import PlacedEvent

__all__ = ["Retry"]


class Retry(Struct, kw_only=True, gc=False):
    """A retry that was scheduled, and by which attempt."""

    placed: PlacedEvent
    body: ConsumerRetryScheduled | AggregationRetryScheduled
    by: Attribution
    number: int = 0
    node_id: str = ""
