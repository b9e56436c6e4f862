"""Every task that has a stream, found by looking at the keys: for operators, never for a request.

Owns the walk over the servers' keys, in small steps so that a server is never held up.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator
from typing import Final

from relayna.events.codec import frame_task_id
from relayna.ids import TaskId
from relayna.streams.keys import TaskAddress
from relayna.streams.log import Entry
from relayna.streams.redis.client import Reply, StoreClient
from relayna.streams.redis.log import RedisLog
from relayna.streams.redis.pages import stream_entries
from relayna.streams.redis.store import asked

__all__ = ["literal_pattern", "scan_keys", "stream_addresses"]

_KEYS_A_STEP: Final = 500
_GLOB: Final = re.compile(r"([*?\[\]\\^-])")


async def stream_addresses(log: RedisLog) -> AsyncIterator[TaskAddress | str]:
    """The tasks of all tenants with a stream under the log's prefix; the key's name where it names none.

    Those that are there all the while come at least once; while a cluster moves slots, perhaps twice.
    Raises `StoreError`.
    """
    pattern = f"{literal_pattern(log.keys.prefix)}:{{*}}:*:events"
    for client in (await log.store.servers()).values():
        async for keys in scan_keys(client, pattern):
            for key in keys:
                yield log.keys.address_in(key) or await _address_in_frame(log, key) or key


async def scan_keys(
    client: StoreClient, pattern: str, *, most_steps: int | None = None
) -> AsyncIterator[list[str]]:
    """One server's keys that match, some at a time; of many, those that so many steps find. Raises `StoreError`."""
    cursor = b"0"
    for _ in range(most_steps) if most_steps is not None else itertools.count():
        reply = await client.ask("SCAN", cursor, "MATCH", pattern, "COUNT", _KEYS_A_STEP)
        cursor, keys = _step(reply)
        yield keys
        if cursor == b"0":
            return


def _step(reply: Reply) -> tuple[bytes, list[str]]:
    match reply:
        case [bytes() as cursor, [*keys]]:
            return cursor, [key.decode(errors="replace") for key in keys if isinstance(key, bytes)]
        case _:
            return b"0", []


def literal_pattern(text: str) -> str:
    """A pattern that matches this text only."""
    return _GLOB.sub(r"\\\1", text)


async def _address_in_frame(log: RedisLog, key: str) -> TaskAddress | None:
    """Whose stream it is whose key holds only a hash: its first frame says so."""
    tenant = log.keys.tenant_in(key)
    entries: list[Entry] = stream_entries(await asked(log.store, key, "XRANGE", key, "-", "+", "COUNT", 1))
    task_id = frame_task_id(entries[0].payload) if entries else None
    if tenant is None or task_id is None:
        return None
    address = TaskAddress(TaskId(task_id), tenant)
    return address if log.keys.events(address) == key else None
