"""The last few versions of one graph, and the patches between them.

Owns how many are held and that patches are made once, whoever asks. What two large ones have in common is held once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

import anyio
import anyio.to_thread

from relayna.observability.live.messages import LiveMessage
from relayna.projections.graph import ExecutionGraph
from relayna.projections.graph_patch import apply_patch, diff_graphs

__all__ = ["HeldVersions", "worked_out"]

_COMPARED_HERE: Final = 500
"""Nodes and edges; more are compared in a thread, so that whoever else is in this event loop has their turn."""

P = ParamSpec("P")
ResultT = TypeVar("ResultT")


async def worked_out(size: int, work: Callable[P, ResultT], *arguments: P.args, **names: P.kwargs) -> ResultT:
    """What `work` gives, which takes as long as so many nodes and edges do."""
    if size <= _COMPARED_HERE:
        return work(*arguments, **names)
    return await anyio.to_thread.run_sync(lambda: work(*arguments, **names))


class HeldVersions:
    """Empty at first. Add versions in the order in which they are to be told."""

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._graphs: OrderedDict[str, ExecutionGraph] = OrderedDict()
        self._snapshot: LiveMessage | None = None
        self._patches: dict[str, LiveMessage] = {}
        """By base, those to the latest version."""
        self._comparing = anyio.Lock()
        self.latest: str | None = None

    @property
    def graph(self) -> ExecutionGraph:
        """The latest. There must be one."""
        return self._graphs[self.latest or ""]

    def graph_of(self, version: str) -> ExecutionGraph | None:
        """The graph of this version, when it is still held."""
        return self._graphs.get(version)

    async def add(self, version: str, graph: ExecutionGraph) -> None:
        """This is the latest version now; the oldest one may be let go for it."""
        base, patch = self.latest, None
        if base is not None:
            graph, patch = await worked_out(_size(graph), _step, self.graph, graph, base, version)
        self._graphs.pop(version, None)  # a store that went back may say again what it said
        self._graphs[version] = graph
        self.latest, self._snapshot = version, None
        self._patches = {} if base is None or patch is None else {base: patch}
        while len(self._graphs) > self._most:
            self._graphs.popitem(last=False)

    def snapshot(self) -> LiveMessage:
        """The latest version whole."""
        if self._snapshot is None:
            self._snapshot = LiveMessage(self.graph, self.latest)
        return self._snapshot

    async def patch_from(self, base: str) -> LiveMessage | None:
        """From a version that is held to what is the latest by now; nothing when it is not held any more."""
        if base in self._graphs and base in self._patches:
            return self._patches[base]
        async with self._comparing:
            known, target = self._graphs.get(base), self.latest
            if known is None or target is None:
                return None
            if base in self._patches:
                return self._patches[base]
            message = await self.patch_between(base, known)
            if self.latest == target:
                self._patches[base] = message
            return message

    async def patch_between(self, base: str, known: ExecutionGraph) -> LiveMessage:
        """From a graph, which need not be held, to the latest version."""
        newer, version = self.graph, self.latest or ""
        patch = await worked_out(_size(newer), diff_graphs, known, newer, base=base, version=version)
        return LiveMessage(patch, version)


def _step(
    older: ExecutionGraph, newer: ExecutionGraph, base: str, version: str
) -> tuple[ExecutionGraph, LiveMessage]:
    patch = diff_graphs(older, newer, base=base, version=version)
    if _size(newer) > _COMPARED_HERE:
        newer = apply_patch(older, patch)  # the same, with what has not changed shared
    return newer, LiveMessage(patch, version)


def _size(graph: ExecutionGraph) -> int:
    return len(graph.nodes) + len(graph.edges)
