"""A topology as a Mermaid drawing: what can connect, as opposed to what did.

Owns what is drawn and how. The syntax is in `flowchart.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from relayna.topologies.broker_setup import declarations
from relayna.topologies.declarations import Declarations
from relayna.topologies.flowchart import FlowchartEdge, FlowchartNode, flowchart
from relayna.topologies.layout import Layout
from relayna.topologies.naming import dead_letter_queue_name, dead_letter_record_queue_name
from relayna.topologies.registry import variant_of
from relayna.topologies.routes import recorded_queues
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
    dead = {dead_letter_queue_name(queue.name): "dead letters" for queue in layout.queues}
    dead |= {
        dead_letter_record_queue_name(name): "dead letters to record" for name in recorded_queues(topology)
    }
    return flowchart(
        [*_source_nodes(layout), *_broker_nodes(setup, dead), *_consumer_nodes(layout)],
        [*_source_edges(layout), *_broker_edges(setup), *_consumer_edges(layout)],
        styles=_STYLES,
    )


def _source_nodes(layout: Layout) -> Iterable[FlowchartNode]:
    for source in layout.sources:
        yield FlowchartNode(
            key=f"source:{source.name}", lines=(source.name,), shape="stadium", style="source"
        )


def _broker_nodes(setup: Declarations, dead: Mapping[str, str]) -> Iterable[FlowchartNode]:
    for exchange in setup.exchanges:
        lines = (exchange.name, f"{exchange.kind} exchange")
        yield FlowchartNode(key=f"exchange:{exchange.name}", lines=lines, shape="hexagon", style="exchange")
    for queue in sorted(setup.queues, key=lambda queue: queue.name in dead):
        lines = (queue.name, dead.get(queue.name, f"{queue.kind} queue"))
        style = "dead" if queue.name in dead else "queue"
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
        yield FlowchartEdge(
            source=f"queue:{queue.name}",
            target=f"exchange:{queue.dead_letter_exchange}",
            label="dead-lettered",
            is_dotted=True,
        )


def _consumer_edges(layout: Layout) -> Iterable[FlowchartEdge]:
    for queue in layout.queues:
        consumer = f"consumer:{queue.name}"
        yield FlowchartEdge(source=f"queue:{queue.name}", target=consumer)
        for exchange in queue.publishes_to:
            yield FlowchartEdge(source=consumer, target=f"exchange:{exchange}")
