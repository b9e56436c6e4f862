"""What a variant says of itself, in the same words for all of them.

Owns the shapes from which declarations and drawings are made. Variants fill them in.
"""

from __future__ import annotations

from msgspec import Struct

from relayna.errors import InvalidTopology
from relayna.topologies.declarations import Exchange
from relayna.topologies.naming import (
    dead_letter_exchange_name,
    dead_letter_queue_name,
    dead_letter_record_queue_name,
)
from relayna.topologies.topology import Route, Topology

__all__ = ["ConsumedQueue", "Layout", "Source", "check_layout", "dead_letter_exchange", "status_layout"]


class ConsumedQueue(Struct, frozen=True, kw_only=True):
    """A queue that somebody takes messages from."""

    name: str
    consumer: str
    """Who takes from it, as a reader of a drawing would say."""
    bindings: tuple[Route, ...]
    """What reaches it; on a topic exchange the keys may be patterns."""
    publishes_to: tuple[str, ...] = ()
    """Exchanges that the consumer publishes to."""
    is_work: bool = True
    """Work can have priorities, and its dead letters are part of a task's history; statuses keep their order."""


class Source(Struct, frozen=True, kw_only=True):
    """Somebody outside who publishes into the topology."""

    name: str
    routes: tuple[Route, ...]


class Layout(Struct, frozen=True, kw_only=True):
    """A whole topology. The dead-letter exchange and queues follow from it (see `broker_setup.py`)."""

    exchanges: tuple[Exchange, ...]
    queues: tuple[ConsumedQueue, ...]
    sources: tuple[Source, ...]

    def __add__(self, other: Layout) -> Layout:
        """Both, this one first."""
        return Layout(
            exchanges=self.exchanges + other.exchanges,
            queues=self.queues + other.queues,
            sources=self.sources + other.sources,
        )


def status_layout(topology: Topology) -> Layout:
    """The part that all variants have: one exchange for statuses and one queue that gets them all."""
    return Layout(
        exchanges=(Exchange(name=topology.status_exchange, kind="topic"),),
        queues=(
            ConsumedQueue(
                name=topology.status_queue,
                consumer="status hub",
                bindings=(Route(topology.status_exchange, "#"),),
                is_work=False,
            ),
        ),
        sources=(),
    )


def check_layout(layout: Layout, topology: Topology) -> None:
    """No exchange and no queue may serve two purposes. Raises `InvalidTopology`."""
    exchanges = [exchange.name for exchange in layout.exchanges]
    _check_distinct([*exchanges, dead_letter_exchange(topology)], topology, "exchange")
    consumed = [queue.name for queue in layout.queues]
    kept = map(dead_letter_queue_name, consumed)
    to_record = (dead_letter_record_queue_name(queue.name) for queue in layout.queues if queue.is_work)
    _check_distinct([*consumed, *kept, *to_record], topology, "queue")


def dead_letter_exchange(topology: Topology) -> str:
    """The direct exchange through which the topology's dead letters go, by the name of the queue they left."""
    return topology.dead_letter_exchange or dead_letter_exchange_name(topology.status_exchange)


def _check_distinct(names: list[str], topology: Topology, what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InvalidTopology(
                _field_with(name, topology, f"_{what}"),
                f"the {what} {name!r} would serve two purposes; give each a name of its own",
            )
        seen.add(name)


def _field_with(name: str, topology: Topology, suffix: str) -> str:
    fields = [field for field in topology.__struct_fields__ if field.endswith(suffix)]
    return next((field for field in reversed(fields) if getattr(topology, field) == name), f"any{suffix}")
