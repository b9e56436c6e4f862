"""A log under one prefix, brought under another with another number of shards.

Owns the way from stream to stream. The number of shards is part of every key, so a prefix keeps the one it was
begun with; nothing is taken away from where it was.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from relayna.observability.archive import Importer, read_task
from relayna.streams.redis import RedisLog
from relayna.streams.redis.scanning import stream_addresses

__all__ = ["reshard"]


async def reshard(source: RedisLog, importer: Importer) -> AsyncIterator[str]:
    """Bring every stream of `source` to the importer's log; each task's id as it has been brought.

    What is there already is not added again, so that it can be done once before workers move and once after.
    The importer's report tells what was added, and which keys name no task. Raises `StoreError`.
    """
    async for address in stream_addresses(source):
        if isinstance(address, str):
            importer.report.unreadable.append(f"{address}: names no task that relayna recorded")
            continue
        task = await read_task(source, address)
        if task is not None:  # else it has expired meanwhile
            await importer.take_task(task)
        yield address.task_id
