"""A topology as a Mermaid drawing: what can connect, as opposed to what did.

Owns what is drawn and how. The syntax is in `flowchart.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from relayna.topologies.broker_setup import declarations
from relayna.topologies.declarations import Declarations
from relayna.topologies.flowchart import FlowchartEdge, FlowchartNode, flowchart
from relayna.topologies.layout import Layout
from relayna.topologies.naming import dead_letter_queue_name
from relayna.topologies.registry import variant_of
from relayna.topologies.topology import Topology

__all__ = ["topology_mermaid"]

_STYLES: Final = {
    "source": "fill:#eef,stroke:#557",
    "exchange": "fill:#e8f4ea,stroke:#2f7d4f",
    "queue": "fill:#fff,stroke:#333",
    "consumer": "fill:#eef,stroke:#557",
    "dead": "fill:#fdeaea,stroke:#b3261e",
}


def topology_mermaid(topology: Topology) -> str:
    """Sources, exchanges, queues, consumers or stages, and where given-up messages go."""
    layout = variant_of(topology).layout(topology)
    setup = declarations(topology)
    dead_letter_queues = frozenset(dead_letter_queue_name(queue.name) for queue in layout.queues)
    return flowchart(
        [*_source_nodes(layout), *_broker_nodes(setup, dead_letter_queues), *_consumer_nodes(layout)],
        [*_source_edges(layout), *_broker_edges(setup), *_consumer_edges(layout)],
        styles=_STYLES,
    )


def _source_nodes(layout: Layout) -> Iterable[FlowchartNode]:
    for source in layout.sources:
        yield FlowchartNode(
            key=f"source:{source.name}", lines=(source.name,), shape="stadium", style="source"
        )


def _broker_nodes(setup: Declarations, dead_letter_queues: frozenset[str]) -> Iterable[FlowchartNode]:
    for exchange in setup.exchanges:
        lines = (exchange.name, f"{exchange.kind} exchange")
        yield FlowchartNode(key=f"exchange:{exchange.name}", lines=lines, shape="hexagon", style="exchange")
    for queue in sorted(setup.queues, key=lambda queue: queue.name in dead_letter_queues):
        is_dead = queue.name in dead_letter_queues
        lines = (queue.name, "dead letters" if is_dead else f"{queue.kind} queue")
        style = "dead" if is_dead else "queue"
        yield FlowchartNode(key=f"queue:{queue.name}", lines=lines, shape="cylinder", style=style)


def _consumer_nodes(layout: Layout) -> Iterable[FlowchartNode]:
    for queue in layout.queues:
        yield FlowchartNode(key=f"consumer:{queue.name}", lines=(queue.consumer,), style="consumer")


def _source_edges(layout: Layout) -> Iterable[FlowchartEdge]:
    for source in layout.sources:
        for route in source.routes:
            yield FlowchartEdge(
                source=f"source:{source.name}", target=f"exchange:{route.exchange}", label=route.routing_key
            )


def _broker_edges(setup: Declarations) -> Iterable[FlowchartEdge]:
    for binding in setup.bindings:
        yield FlowchartEdge(
            source=f"exchange:{binding.exchange}",
            target=f"queue:{binding.queue}",
            label=binding.routing_key,
        )
    for queue in setup.queues:
        if queue.dead_letter_exchange is None:
            continue
        key = queue.dead_letter_routing_key or ""
        # The default exchange routes by queue name: the arrow goes to the queue itself.
        target = f"exchange:{queue.dead_letter_exchange}" if queue.dead_letter_exchange else f"queue:{key}"
        yield FlowchartEdge(
            source=f"queue:{queue.name}", target=target, label="dead-lettered", is_dotted=True
        )


def _consumer_edges(layout: Layout) -> Iterable[FlowchartEdge]:
    for queue in layout.queues:
        consumer = f"consumer:{queue.name}"
        yield FlowchartEdge(source=f"queue:{queue.name}", target=consumer)
        for exchange in queue.publishes_to:
            yield FlowchartEdge(source=consumer, target=f"exchange:{exchange}")
