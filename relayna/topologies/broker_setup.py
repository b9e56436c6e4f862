"""What a broker must have for a topology to work, as declarations that any broker can carry out.

Owns the rule that nothing is dropped by default: every consumed queue dead-letters to a queue of its
own, through an exchange that gives copies to be recorded. Carries nothing out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Final

from relayna.errors import InvalidQuery
from relayna.topologies.checks import check_count, check_queue_name
from relayna.topologies.declarations import Binding, Declarations, Exchange, Queue
from relayna.topologies.layout import ConsumedQueue, dead_letter_exchange
from relayna.topologies.naming import (
    LONGEST_DELAY_MS,
    dead_letter_queue_name,
    dead_letter_record_queue_name,
    retry_queue_name,
)
from relayna.topologies.registry import variant_of
from relayna.topologies.routes import consumed_queues, dead_letter_route
from relayna.topologies.topology import Topology

__all__ = ["dead_letter_declarations", "declarations", "retry_declarations"]

_RECORD_QUEUE_LENGTH: Final = 10_000
"""Who runs no recorder of dead letters has these copies lie about, and no more; the originals are all kept."""


def declarations(topology: Topology) -> Declarations:
    """Every exchange, queue and binding, dead letters included. Retry queues depend on the retry policy."""
    layout = variant_of(topology).layout(topology)
    letters = [_dead_letters(topology, queue) for queue in layout.queues]
    return Declarations(
        exchanges=(*layout.exchanges, Exchange(name=dead_letter_exchange(topology))),
        queues=(
            *itertools.chain.from_iterable(one.queues for one in letters),
            *(_consumed(queue, topology) for queue in layout.queues),
        ),
        bindings=(
            *itertools.chain.from_iterable(one.bindings for one in letters),
            *(
                Binding(queue=queue.name, exchange=route.exchange, routing_key=route.routing_key)
                for queue in layout.queues
                for route in queue.bindings
            ),
        ),
    )


def dead_letter_declarations(topology: Topology, queue_name: str) -> Declarations:
    """What the dead letters of one consumed queue need. Raises `InvalidQuery` for a queue that nobody consumes."""
    for queue in variant_of(topology).layout(topology).queues:
        if queue.name == queue_name:
            return _dead_letters(topology, queue)
    raise InvalidQuery("queue_name", f"{queue_name!r} is none of {', '.join(consumed_queues(topology))}")


def retry_declarations(queue_name: str, delays_ms: Iterable[int]) -> Declarations:
    """One queue per delay in which messages of `queue_name` wait, in milliseconds, before they go back.

    They have no expiry of their own: an unused queue would die with the messages that wait in it.
    Raises `InvalidTopology`.
    """
    check_queue_name("queue_name", queue_name)
    delays = tuple(dict.fromkeys(delays_ms))
    for delay_ms in delays:
        check_count("delays_ms", delay_ms, least=1, most=LONGEST_DELAY_MS)
    return Declarations(
        queues=tuple(
            Queue(
                name=retry_queue_name(queue_name, delay_ms),
                message_ttl_ms=delay_ms,
                dead_letter_exchange="",
                dead_letter_routing_key=queue_name,
            )
            for delay_ms in delays
        )
    )


def _consumed(queue: ConsumedQueue, topology: Topology) -> Queue:
    route = dead_letter_route(topology, queue.name)
    classic = topology.max_priority is not None and queue.is_work
    return Queue(
        name=queue.name,
        kind="classic" if classic else "quorum",
        dead_letter_exchange=route.exchange,
        dead_letter_routing_key=route.routing_key,
        # Classic queues do not count deliveries and refuse the argument.
        delivery_limit=None if classic else topology.delivery_limit,
        max_priority=topology.max_priority if classic else None,
    )


def _dead_letters(topology: Topology, queue: ConsumedQueue) -> Declarations:
    """The queue that keeps them and, for work, the one from which they are recorded (docs/decisions/0006)."""
    queues = [Queue(name=dead_letter_queue_name(queue.name))]
    if queue.is_work:
        queues.append(Queue(name=dead_letter_record_queue_name(queue.name), max_length=_RECORD_QUEUE_LENGTH))
    exchange = dead_letter_exchange(topology)
    return Declarations(
        exchanges=(Exchange(name=exchange),),
        queues=tuple(queues),
        bindings=tuple(Binding(queue=one.name, exchange=exchange, routing_key=queue.name) for one in queues),
    )
