"""What a broker must have for a topology to work, as declarations that any broker can carry out.

Owns the rule that nothing is dropped by default: every consumed queue dead-letters to a queue of its
own. Carries nothing out.
"""

from __future__ import annotations

from collections.abc import Iterable

from relayna.topologies.checks import check_count, check_queue_name
from relayna.topologies.declarations import Binding, Declarations, Exchange, Queue
from relayna.topologies.layout import ConsumedQueue
from relayna.topologies.naming import LONGEST_DELAY_MS, dead_letter_queue_name, retry_queue_name
from relayna.topologies.registry import variant_of
from relayna.topologies.routes import dead_letter_route
from relayna.topologies.topology import Topology

__all__ = ["declarations", "retry_declarations"]


def declarations(topology: Topology) -> Declarations:
    """Every exchange, queue and binding, dead letters included. Retry queues depend on the retry policy."""
    layout = variant_of(topology).layout(topology)
    exchanges = layout.exchanges
    if topology.dead_letter_exchange is not None:
        exchanges += (Exchange(name=topology.dead_letter_exchange),)
    dead_letter_queues = tuple(Queue(name=dead_letter_queue_name(queue.name)) for queue in layout.queues)
    return Declarations(
        exchanges=exchanges,
        queues=dead_letter_queues + tuple(_consumed(queue, topology) for queue in layout.queues),
        bindings=tuple(_bindings(layout.queues, topology)),
    )


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


def _bindings(queues: Iterable[ConsumedQueue], topology: Topology) -> Iterable[Binding]:
    for queue in queues:
        if topology.dead_letter_exchange is not None:
            yield Binding(
                queue=dead_letter_queue_name(queue.name),
                exchange=topology.dead_letter_exchange,
                routing_key=queue.name,
            )
        for route in queue.bindings:
            yield Binding(queue=queue.name, exchange=route.exchange, routing_key=route.routing_key)
