"""The representations of a graph: JSON, Mermaid and DOT, each with a tag of its own.

Owns media types, formats and entity tags. A tag is strong: the same version in the same representation is the
same bytes. That of plain JSON is the version itself, so that clients can ask `as_of` it and go on from it live.
"""

from __future__ import annotations

import hashlib
from typing import Final

import anyio.to_thread

from relayna.api.aliases import HttpNames
from relayna.api.negotiation import preferred_media_type
from relayna.api.responses import JSON
from relayna.errors import InvalidQuery
from relayna.observability.dot import execution_graph_dot
from relayna.observability.graph_service import VersionedGraph
from relayna.observability.mermaid import execution_graph_mermaid
from relayna.observability.shared_work import SharedWork
from relayna.projections.graph import ExecutionGraph

__all__ = ["FORMATS", "OFFERED", "GraphRepresentations", "chosen_media_type"]

_MERMAID: Final = "text/vnd.mermaid"
_DOT: Final = "text/vnd.graphviz"
_OLD_MERMAID: Final = "text/x-mermaid"

FORMATS: Final = {"json": JSON, "mermaid": _MERMAID, "dot": _DOT}
"""By the name that `?format=` takes."""
OFFERED: Final = (JSON, _MERMAID, _OLD_MERMAID, _DOT)

_SUFFIXES: Final = {JSON: "", _MERMAID: ".mermaid", _OLD_MERMAID: ".x-mermaid", _DOT: ".dot"}
_WRITTEN_HERE: Final = 300
"""Nodes; larger graphs are written in a thread."""


def chosen_media_type(accept: str, format_name: str | None) -> str | None:
    """What to answer with; nothing when the client takes none of it. Raises `InvalidQuery`."""
    if format_name is None:
        return preferred_media_type(accept, OFFERED)
    if format_name not in FORMATS:
        raise InvalidQuery("format", f"{format_name[:80]!r} is none of {', '.join(FORMATS)}")
    return FORMATS[format_name]


class GraphRepresentations:
    """Writes graphs, under the names that HTTP has for tasks."""

    def __init__(self, names: HttpNames) -> None:
        self._names = names
        self._work: SharedWork[bytes] = SharedWork()
        field = names.of_field("task_id")
        self._renamed = "" if field == "task_id" else f".{hashlib.sha256(field.encode()).hexdigest()[:8]}"

    def tag(self, version: str, media_type: str) -> str:
        """The entity tag, without quotes, of this version in this representation."""
        return version + self._suffix(media_type)

    def version(self, tag: str, media_type: str) -> str | None:
        """The version that a tag of this representation is of; nothing for any other tag."""
        suffix = self._suffix(media_type)
        version = tag.removesuffix(suffix) if tag.endswith(suffix) else None
        return None if version is None or "." in version else version

    async def written(self, answer: VersionedGraph, media_type: str) -> bytes:
        """The bytes. Who asks for the same ones meanwhile gets the same object."""
        if len(answer.graph.nodes) <= _WRITTEN_HERE:
            return self._write(answer.graph, media_type)

        async def write() -> bytes:
            return await anyio.to_thread.run_sync(self._write, answer.graph, media_type)

        return await self._work.do((answer.version, media_type), write, still_true=_always)

    def _write(self, graph: ExecutionGraph, media_type: str) -> bytes:
        if media_type == JSON:
            return self._names.encode_graph(graph)
        text = execution_graph_dot(graph) if media_type == _DOT else execution_graph_mermaid(graph)
        return text.encode()

    def _suffix(self, media_type: str) -> str:
        return (self._renamed if media_type == JSON else "") + _SUFFIXES[media_type]


async def _always(body: bytes) -> bool:
    return True
