"""What a process keeps of the graphs that were asked for lately: streams as they were read, and answers made of them.

Owns the bound, and what is forgotten for it. Nothing here is believed without the store: a stream counts as far as it
goes on from what was kept, and an answer while all of its streams are the very ones that it was made of; one for which
not all was read, while they are as they were (`cut_answer.py`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import Final

from msgspec import Struct

from relayna.errors import InvalidSetting
from relayna.events.history import StreamFact
from relayna.instants import Instant
from relayna.observability.cut_answer import CutAnswer
from relayna.observability.family_history import FamilyHistory
from relayna.observability.graph_version import StreamPosition, VersionedGraph
from relayna.observability.kept_streams import KeptStream
from relayna.signals import Counters, measures_of
from relayna.streams import TaskAddress

__all__ = ["DEFAULT_CACHE_ITEMS", "GraphCache"]

DEFAULT_CACHE_ITEMS: Final = 50_000
"""Events, nodes and edges; each weighs 0.6 KB or so. What says more than usual counts for several."""

_BYTES_AN_ITEM: Final = 300
"""Of payloads: text takes up to twice as much when it is read."""


class _Basis(Struct, frozen=True):
    """What an answer was made of; equal when the same question has the same answer."""

    marks: tuple[object, ...]
    """Of the streams, as they were kept; None for one that was not there."""
    positions: Sequence[StreamPosition]
    facts: Sequence[StreamFact]
    unread: int
    beyond: int
    changes_at: Instant | None


class _KeptAnswer(Struct, frozen=True):
    basis: _Basis
    answer: VersionedGraph


_Kept = KeptStream | _KeptAnswer | CutAnswer


class GraphCache:
    """Of one log. The least recently used goes first; what is larger than all of it is not kept at all."""

    def __init__(self, *, most_items: int = DEFAULT_CACHE_ITEMS, counters: Counters | None = None) -> None:
        """At most so many events, nodes and edges; 0 keeps nothing. Raises `InvalidSetting`.

        Counts `relayna_graph_cache_total`, by what was kept of what was asked for, and
        `relayna_graph_cache_evictions_total`; reports the gauge `relayna_graph_cache_items`.
        """
        if most_items < 0:
            raise InvalidSetting("graph_cache_items", "argument", f"{most_items} is less than 0")
        self._most = most_items
        self._items = 0
        self._kept: OrderedDict[Hashable, tuple[int, _Kept]] = OrderedDict()
        self._measures = measures_of(counters)
        self._measures.watch("relayna_graph_cache_items", self._count_items)

    def stream(self, address: TaskAddress) -> KeptStream | None:
        """The stream as it was read last."""
        found = self._find(address)
        return found if isinstance(found, KeptStream) else None

    def answer(self, question: Hashable, history: FamilyHistory) -> VersionedGraph | None:
        """The answer to this question, when it was made of this very history. Changed by nobody."""
        found = self._find(question)
        if isinstance(found, _KeptAnswer) and found.basis == _basis(history):
            self._measures.increment("relayna_graph_cache_total", outcome="answered")
            return found.answer
        outcome = "continued" if history.goes_on else "missed"
        self._measures.increment("relayna_graph_cache_total", outcome=outcome)
        return None

    def cut_answer(self, question: Hashable) -> CutAnswer | None:
        """The last answer to this question, when not all was read for it."""
        found = self._find(question)
        return found if isinstance(found, CutAnswer) else None

    def count_answered(self) -> None:
        """Count that a cut answer was given again."""
        self._measures.increment("relayna_graph_cache_total", outcome="answered")

    def keep(self, question: Hashable, history: FamilyHistory, answer: VersionedGraph) -> None:
        """What was read, and the answer that was made of it, for whoever asks next."""
        if not self._most:
            return
        # An answer keeps what its streams said alive, also when they are kept no longer.
        said = sum(stream.bytes for stream in history.streams if stream)
        weight = max(len(answer.graph.nodes) + len(answer.graph.edges), said // _BYTES_AN_ITEM)
        if history.is_cut:
            self._put(question, weight, CutAnswer(answer, history.states, history.changes_at))
            return
        for position, stream in zip(history.positions, history.streams, strict=True):
            if stream is not None:
                self._put(position.address, max(stream.decoded, stream.bytes // _BYTES_AN_ITEM), stream)
        there = (position.last_id for position in history.positions)
        if all(stream or last_id is None for stream, last_id in zip(history.streams, there, strict=True)):
            self._put(question, weight, _KeptAnswer(_basis(history), answer))

    def _find(self, key: Hashable) -> _Kept | None:
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[1]

    def _put(self, key: Hashable, weight: int, kept: _Kept) -> None:
        former, _ = self._kept.pop(key, (0, None))
        self._items -= former
        if weight > self._most:
            return
        self._kept[key] = (weight, kept)
        self._items += weight
        evicted = 0
        while self._items > self._most:
            _, (weight, _) = self._kept.popitem(last=False)
            self._items -= weight
            evicted += 1
        if evicted:
            self._measures.increment("relayna_graph_cache_evictions_total", evicted)

    def _count_items(self) -> float:
        return self._items


def _basis(history: FamilyHistory) -> _Basis:
    return _Basis(
        tuple(stream and stream.mark for stream in history.streams),
        history.positions,
        history.facts,
        history.unread,
        history.beyond,
        history.changes_at,
    )
