"""Readers of live executions over raw TCP, and what they judge of what they are told."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Protocol

import anyio
import anyio.to_thread
import msgspec
from anyio.abc import SocketStream
from msgspec import Struct, field
from reliability.live_writer import steps_of

from relayna.clock import SystemClock
from relayna.instants import parse_instant
from relayna.projections.graph import ExecutionGraph
from relayna.projections.graph_patch import GraphPatch, apply_patch

__all__ = ["LiveReading", "StepReading", "WholeReading", "live_events", "live_socket"]

_clock = SystemClock()


class LiveReading(Protocol):
    """What one reader makes of events."""

    def take(self, event: str, version: str | None, data: bytes) -> None:
        """One more event."""


class _Node(Struct):
    task_id: str
    kind: str
    label: str
    timestamp: str | None


class _SetNode(Struct):
    node: _Node
    index: int | None = None


class _Part(Struct):
    """As much of a snapshot or patch as tells which steps there are."""

    base: str | None = None
    nodes: list[_Node] = field(default_factory=list)
    nodes_set: list[_SetNode] = field(default_factory=list)


class Faults(Struct):
    """What must not be."""

    gaps: int = 0
    repeats: int = 0
    not_prefixes: int = 0

    @property
    def all(self) -> int:
        return self.gaps + self.repeats + self.not_prefixes


class WholeReading:
    """Holds the graph, and looks after each event whether it is what the log held at some moment."""

    def __init__(self, task_id: str) -> None:
        self.task_id = task_id
        self.faults = Faults()
        self.graph: ExecutionGraph | None = None
        self.version: str | None = None
        self.versions: set[str] = set()
        self.steps = 0
        self.events = 0
        self.ended = False

    def take(self, event: str, version: str | None, data: bytes) -> None:
        """Apply it."""
        self.events += 1
        match event:
            case "snapshot":
                self.graph = msgspec.json.decode(data, type=ExecutionGraph)
            case "patch":
                patch = msgspec.json.decode(data, type=GraphPatch)
                assert self.graph is not None
                self.faults.gaps += patch.base != self.version
                self.graph = apply_patch(self.graph, patch)
            case "gap":
                self.faults.gaps += 1
            case "end":
                self.ended = True
        if event in ("snapshot", "patch"):
            self.faults.repeats += version in self.versions
            self.version = version
            self.versions.add(version or "")
            self._judge()

    def _judge(self) -> None:
        assert self.graph is not None
        told: dict[str, list[str]] = {}
        for node in self.graph.nodes:
            if node.kind == "status_event" and node.label.startswith("step "):
                told.setdefault(node.task_id, []).append(node.label)
        steps = sum(map(len, told.values()))
        whole = steps_of(self.task_id, 2 * steps + 2)
        prefixes = all(labels == whole[task_id][: len(labels)] for task_id, labels in told.items())
        self.faults.not_prefixes += not prefixes or steps < self.steps
        self.steps = steps


class StepReading:
    """Knows which steps it was told of, in which order, and how long after they were appended."""

    def __init__(self, task_id: str) -> None:
        self.task_id = task_id
        self.faults = Faults()
        self.version: str | None = None
        self.told: dict[str, list[str]] = {}
        self.latencies_ms: list[float] = []
        self.events = 0
        self.ended = False

    def take(self, event: str, version: str | None, data: bytes) -> None:
        """Note what is new in it."""
        self.events += 1
        if event == "end":
            self.ended = True
        elif event == "gap":
            self.faults.gaps += 1
        elif event in ("snapshot", "patch"):
            part = msgspec.json.decode(data, type=_Part)
            self.faults.gaps += event == "patch" and part.base != self.version
            self.faults.repeats += version == self.version
            self.version = version
            self._note([*part.nodes, *(one.node for one in part.nodes_set if one.index is not None)])

    def _note(self, nodes: Iterable[_Node]) -> None:
        now = _clock.now()
        for node in nodes:
            if node.kind == "status_event" and node.label.startswith("step "):
                self.told.setdefault(node.task_id, []).append(node.label)
                appended = parse_instant(node.timestamp)
                assert appended is not None
                self.latencies_ms.append((now - appended) / 1000)

    def has_all(self, expected: Mapping[str, list[str]]) -> bool:
        """Whether it was told of every step once, in order."""
        return {task_id: labels for task_id, labels in expected.items() if labels} == self.told


async def live_socket(url: str, task_id: str) -> SocketStream:
    """A connection on which an execution was asked for, with a small buffer for what comes."""
    host, port = url.removeprefix("http://").split(":")
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 * 1024)
    raw.setblocking(False)
    await anyio.to_thread.run_sync(_connect, raw, host, int(port))
    stream = await SocketStream.from_socket(raw)
    request = f"GET /executions/{task_id}/live HTTP/1.1\r\nHost: {host}\r\n\r\n"
    await stream.send(request.encode())
    return stream


def _connect(raw: socket.socket, host: str, port: int) -> None:
    raw.setblocking(True)
    raw.connect((host, port))
    raw.setblocking(False)


async def live_events(stream: SocketStream) -> AsyncIterator[tuple[str, str | None, bytes]]:
    """Every event: its name, its id and its data, until the stream ends."""
    unread = b""
    async for piece in _body(stream):
        unread += piece
        *events, unread = unread.split(b"\n\n")
        for text in events:
            fields = dict(line.split(b": ", 1) for line in text.split(b"\n"))
            if b"event" in fields:
                version = fields.get(b"id")
                yield fields[b"event"].decode(), version and version.decode(), fields[b"data"]


async def _body(stream: SocketStream) -> AsyncIterator[bytes]:
    """What a chunked answer holds, in pieces."""
    unread = b""
    while b"\r\n\r\n" not in unread:
        unread += await stream.receive()
    head, unread = unread.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200 "), head
    while True:
        while b"\r\n" not in unread:
            unread += await stream.receive()
        size, unread = unread.split(b"\r\n", 1)
        length = int(size, 16)
        while len(unread) < length + 2:
            unread += await stream.receive()
        if not length:
            return
        yield unread[:length]
        unread = unread[length + 2 :]
