"""A graph arranged as a tree to be read from top to bottom, each node once.

Owns what continues at the same depth, and what is folded. Says nothing in words
and draws nothing. Linear, without recursion: chains may be thousands long and may bite their tail.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from relayna.projections.graph import ExecutionGraph, ExecutionGraphNode
from relayna.projections.hangings import hangings

__all__ = ["FAILING_STATES", "Fold", "TreeLine", "failure_paths", "run_tree"]

FAILING_STATES: Final = frozenset({"failed", "dead_lettered", "abandoned"})

_DEEPEST: Final = 12
"""Below this, children stand beside their parent: an 80-column terminal has no room for more."""

_FOLD_FROM: Final = 4
"""Siblings alike in kind and state, and without trouble, from which on one line stands for all."""

_CONTAINERS: Final = ("task", "aggregation_child")
_ATTEMPTS: Final = ("task_attempt", "stage_attempt")
_CONTINUATIONS: Final = (*_ATTEMPTS, "workflow_message")


class Fold(Struct, frozen=True, kw_only=True):
    """Many siblings in one line."""

    kind: str
    state: str
    nodes: tuple[ExecutionGraphNode, ...]
    after_failures: int
    """How many of them failed on the way."""


class TreeLine(Struct, frozen=True, kw_only=True):
    """A line of the tree: a node, or several folded ones."""

    content: ExecutionGraphNode | Fold
    guides: tuple[bool, ...]
    """From the outermost level inwards, whether more of that level follows; empty for a root."""
    has_below: bool = False
    """Whether deeper lines follow at once."""


def failure_paths(graph: ExecutionGraph) -> Iterator[str]:
    """Ids of the root, then of every failing node after those above it: what a cut drawing must keep."""
    hanging = hangings(graph)
    seen: set[str] = set()
    for node in graph.nodes:
        if node.annotations.get("state") not in FAILING_STATES and node.kind not in ("task", "dlq_record"):
            continue
        path: list[str] = []
        at: str | None = node.id
        while at is not None and at not in seen:
            seen.add(at)
            path.append(at)
            at = hanging[at].parent if at in hanging else None
        yield from reversed(path)


def run_tree(graph: ExecutionGraph) -> Iterator[TreeLine]:
    """The lines of the tree, from top to bottom."""
    return _Arrangement(graph).lines()


class _Place(Struct):
    """Where a node stands. `rail` is where an only successor goes: beside it, or under a branch's head."""

    node: ExecutionGraphNode
    parent: str | None
    rail: str
    depth: int
    order: int
    is_branch: bool


class _Arrangement:
    """One pass that gives every node its place, and one that reads the places out."""

    def __init__(self, graph: ExecutionGraph) -> None:
        self._nodes = {node.id: node for node in graph.nodes}
        self._index = {node_id: index for index, node_id in enumerate(self._nodes)}
        self._hanging: dict[str, list[str]] = defaultdict(list)
        hanging = hangings(graph)
        for node_id in self._nodes:
            if node_id in hanging:
                self._hanging[hanging[node_id].parent].append(node_id)
        self._places: dict[str, _Place] = {}
        self._below: dict[str, list[str]] = defaultdict(list)
        tops = [node_id for node_id in self._nodes if node_id not in hanging]
        tops.sort(key=lambda node_id: self._nodes[node_id].kind != "task")
        # Whatever is left after the tops stands in a circle; its first node begins it.
        for node_id in [*tops, *self._nodes]:
            if node_id not in self._places:
                self._put(node_id, parent=None, rail=node_id, order=self._index[node_id])
                self._place_below(node_id)
        self._troubled, self._failed = self._trouble()

    def lines(self) -> Iterator[TreeLine]:
        """Every place from top to bottom, siblings in order and folded."""
        tops = [place.node.id for place in self._places.values() if place.parent is None]
        stack: list[tuple[str | Fold, tuple[bool, ...]]] = [(top, ()) for top in reversed(tops)]
        while stack:
            content, guides = stack.pop()
            if isinstance(content, Fold):
                yield TreeLine(content=content, guides=guides)
                continue
            below = self._folded(
                sorted(self._below.get(content, ()), key=lambda one: self._places[one].order)
            )
            yield TreeLine(content=self._nodes[content], guides=guides, has_below=bool(below))
            for distance, item in enumerate(reversed(below)):
                stack.append((item, (*guides, distance > 0)))

    def _put(
        self, node_id: str, *, parent: str | None, rail: str, order: int, is_branch: bool = False
    ) -> None:
        depth = 0 if parent is None else self._places[parent].depth + 1
        if parent is not None and depth > _DEEPEST:
            above = self._places[parent]
            parent, depth, order = above.parent, above.depth, max(order, above.order)
        self._places[node_id] = _Place(self._nodes[node_id], parent, rail, depth, order, is_branch)
        if parent is not None:
            self._below[parent].append(node_id)

    def _place_below(self, top: str) -> None:
        pending = [top]
        while pending:
            place = self._places[pending.pop()]
            node_id = place.node.id
            details, successors = self._details_and_successors(node_id)
            for detail in details:
                self._put(detail, parent=node_id, rail=node_id, order=self._index[detail])
            messages = sum(self._nodes[one].kind == "workflow_message" for one in successors)
            for successor in successors:
                self._put_successor(successor, place, has_siblings=messages > 1)
            pending += reversed(successors)

    def _put_successor(self, node_id: str, place: _Place, *, has_siblings: bool) -> None:
        kind, index = self._nodes[node_id].kind, self._index[node_id]
        if kind in _CONTAINERS or (kind == "workflow_message" and has_siblings):
            order = self._first_sign(node_id)
            self._put(node_id, parent=place.node.id, rail=node_id, order=order, is_branch=True)
            return
        rail = place.node.id if place.node.kind in _CONTAINERS else place.rail
        # A skewed clock must not put an attempt above the one it followed.
        order = index if rail == place.node.id else max(index, place.order)
        self._put(node_id, parent=rail, rail=rail, order=order)

    def _first_sign(self, node_id: str) -> int:
        """A child has no time of its own: it stands where the first that is known of it would stand."""
        if self._nodes[node_id].timestamp is not None:
            return self._index[node_id]
        timed = (
            self._index[one]
            for one in self._hanging.get(node_id, ())
            if self._nodes[one].timestamp is not None
        )
        return min(timed, default=len(self._nodes))

    def _details_and_successors(self, node_id: str) -> tuple[list[str], list[str]]:
        """What happened in or because of a node, and what came next (also by way of a retry or replay)."""
        details: list[str] = []
        successors: list[str] = []
        pending = [node_id]
        while pending:
            for child in self._hanging.get(pending.pop(), ()):
                if child in self._places or child == node_id:
                    continue
                if self._nodes[child].kind in (*_CONTINUATIONS, *_CONTAINERS):
                    successors.append(child)
                else:
                    details.append(child)
                    pending.append(child)
        return details, sorted(successors, key=self._index.__getitem__)

    def _trouble(self) -> tuple[set[str], set[str]]:
        """Ids whose subtree must be seen, and ids whose subtree holds a failed attempt."""
        troubled: set[str] = set()
        failed: set[str] = set()
        for place in reversed(self._places.values()):
            node, state = place.node, place.node.annotations.get("state")
            if node.kind == "dlq_record" or state in ("dead_lettered", "abandoned"):
                troubled.add(node.id)
            if node.annotations.get("anomalies"):
                troubled.add(node.id)
            if state == "failed":
                (failed if node.kind in _ATTEMPTS else troubled).add(node.id)
            if place.parent is not None:
                troubled.update([place.parent] if node.id in troubled else [])
                failed.update([place.parent] if node.id in failed else [])
        return troubled, failed

    def _folded(self, siblings: Iterable[str]) -> list[str | Fold]:
        siblings = list(siblings)
        alike = Counter(key for key in map(self._fold_key, siblings) if key is not None)
        items: list[str | Fold] = []
        done: set[tuple[str, str]] = set()
        for node_id in siblings:
            key = self._fold_key(node_id)
            if key is None or alike[key] < _FOLD_FROM:
                items.append(node_id)
            elif key not in done:
                done.add(key)
                items.append(self._fold(key, [one for one in siblings if self._fold_key(one) == key]))
        return items

    def _fold_key(self, node_id: str) -> tuple[str, str] | None:
        place = self._places[node_id]
        state = place.node.annotations.get("state")
        if not place.is_branch or node_id in self._troubled or not isinstance(state, str):
            return None
        if state in FAILING_STATES or (node_id in self._failed and state != "succeeded"):
            return None
        return place.node.kind, state

    def _fold(self, key: tuple[str, str], node_ids: list[str]) -> Fold:
        return Fold(
            kind=key[0],
            state=key[1],
            nodes=tuple(self._nodes[node_id] for node_id in node_ids),
            after_failures=sum(node_id in self._failed for node_id in node_ids),
        )
