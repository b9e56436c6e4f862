"""Plain commands that append events, packed by hand and answered through hiredis: the limit of appending.

Owns what is sent for an event: one XADD into its task's stream, and one EXPIRE for each task in a batch. That
leaves out what the recorder promises besides: the references by which read models find what is new (`referring`
adds them, as plain commands), frames, a bound on each stream, reading back, confessing.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Final
from urllib.parse import urlsplit
from zlib import crc32

import hiredis
from redis.crc import key_slot

from relayna.events import Event
from relayna.ids import TaskId

__all__ = ["send_raw"]

_BATCH: Final = 500
_IN_FLIGHT: Final = 4
_FEEDS: Final = 64
_WEEK: Final = b"604800"


class _Node:
    """A connection, and how many replies are still to come for each batch sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self._replies = hiredis.Reader()
        self._unanswered: list[int] = []

    async def send(self, commands: Sequence[bytes]) -> None:
        self.writer.write(b"".join(commands))
        self._unanswered.append(len(commands))
        if len(self._unanswered) == _IN_FLIGHT:
            await self._answered()

    async def all_answered(self) -> None:
        while self._unanswered:
            await self._answered()

    async def _answered(self) -> None:
        count = self._unanswered.pop(0)
        while count:
            reply = self._replies.gets()
            if reply is False:
                self._replies.feed(await self._reader.read(65_536))
            elif isinstance(reply, hiredis.ReplyError):
                raise reply
            else:
                count -= 1


async def send_raw(
    urls: Sequence[str],
    prefix: str,
    events: Sequence[Event],
    encode: Callable[[Event], bytes],
    *,
    referring: bool = False,
) -> float:
    """Seconds until all is answered; connecting is not counted. Several `urls` are masters that share the slots
    evenly, in this order."""
    nodes = [_Node(*await asyncio.open_connection(*_endpoint(url))) for url in urls]
    gc.collect()
    start = perf_counter()
    for first in range(0, len(events), _BATCH):
        batches = _packed(prefix, events[first : first + _BATCH], encode, len(nodes), referring=referring)
        for node, commands in zip(nodes, batches, strict=True):
            await node.send(commands)
    for node in nodes:
        await node.all_answered()
    taken = perf_counter() - start
    for node in nodes:
        node.writer.close()
        await node.writer.wait_closed()
    return taken


def _packed(
    prefix: str, events: Sequence[Event], encode: Callable[[Event], bytes], nodes: int, *, referring: bool
) -> list[list[bytes]]:
    """The commands for each node, in order."""
    commands: list[list[bytes]] = [[] for _ in range(nodes)]
    keys: dict[TaskId, tuple[list[bytes], bytes, bytes]] = {}
    for event in events:
        task_id = event.envelope.task_id
        known = keys.get(task_id)
        if known is None:
            shard = crc32(task_id.encode()) % _FEEDS
            tag = f"{prefix}:{{{shard}}}"
            node = commands[key_slot(tag.encode()) * nodes // 16_384] if nodes > 1 else commands[0]
            known = keys[task_id] = node, f"{tag}:{task_id}".encode(), f"{tag}:feed".encode()
        known[0].append(_command(b"XADD", known[1], b"*", b"f", encode(event)))
    for task_id, (node, key, feed) in keys.items():
        node.append(_command(b"EXPIRE", key, _WEEK))
        if referring:
            node.append(_command(b"XADD", feed, b"*", b"t", task_id.encode()))
    if referring:
        for node, feed in {feed: (node, feed) for node, _, feed in keys.values()}.values():
            node.append(_command(b"EXPIRE", feed, _WEEK))
    return commands


def _command(*parts: bytes) -> bytes:
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


def _endpoint(url: str) -> tuple[str | None, int | None]:
    address = urlsplit(url)
    return address.hostname, address.port
