"""The least that a fold can do: what the real one is held against, in the same run.

A node and an edge for each event, in order, and how many events there are of each kind. It knows no attempts, no
retries and no gaps, believes every clock, and shows times as numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from msgspec import Struct

from relayna.events import RecordedEvent
from relayna.ids import EventId, TaskId
from relayna.instants import Instant
from relayna.projections.projection import Item

__all__ = ["PlainGraph", "straightforward_fold"]


class PlainNode(Struct, gc=False):
    """An event."""

    id: EventId
    kind: str
    task_id: TaskId
    timestamp: Instant
    attempt_id: str | None


class PlainEdge(Struct, gc=False):
    """What an event names as its cause, or else its task."""

    source: str
    target: EventId
    kind: str
    timestamp: Instant


class PlainGraph(Struct):
    """Nodes and edges by time, and how many there are of each kind."""

    nodes: list[PlainNode]
    edges: list[PlainEdge]
    states: dict[str, int]


def straightforward_fold(items: Iterable[Item]) -> PlainGraph:
    """One loop over the same events, each taken once."""
    nodes: list[PlainNode] = []
    edges: list[PlainEdge] = []
    states: dict[str, int] = {}
    seen: set[EventId] = set()
    for item in items:
        if not isinstance(item, RecordedEvent):
            continue
        envelope, kind = item.envelope, type(item.body).__name__
        own_id, time = envelope.event_id, envelope.timestamp
        if own_id in seen:
            continue
        seen.add(own_id)
        nodes.append(PlainNode(own_id, kind, envelope.task_id, time, envelope.attempt_id))
        edges.append(PlainEdge(envelope.cause or envelope.task_id, own_id, kind, time))
        states[kind] = states.get(kind, 0) + 1
    nodes.sort(key=attrgetter("timestamp", "id"))
    edges.sort(key=attrgetter("timestamp", "source", "target"))
    return PlainGraph(nodes, edges, states)
