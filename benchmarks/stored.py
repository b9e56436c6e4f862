"""Histories in a store, and the API that reads them there. Owns how both are made for what is measured."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette

from relayna.api.app import create_app
from relayna.api.runtime import RelaynaRuntime
from relayna.events import decode_frame
from relayna.ids import StreamId
from relayna.streams import Append, NotAppended
from relayna.streams.redis.log import RedisLog

__all__ = ["graph_path", "reading_app", "store_history"]

_APPENDED_AT_ONCE = 500
_KEPT_ITEMS = 1_000_000
"""More than is measured with."""


def reading_app(log: RedisLog, *, keeps: bool = False) -> Starlette:
    """The HTTP API over a log that is open; `keeps` says whether it may keep anything between requests."""
    return create_app(RelaynaRuntime(log=log, graph_cache_items=_KEPT_ITEMS if keeps else 0))


def graph_path(task_id: str) -> str:
    """Where its graph is."""
    return f"/executions/{task_id}/graph"


async def store_history(log: RedisLog, appends: Sequence[Append]) -> int:
    """Append them all; how many events they hold."""
    events = 0
    for start in range(0, len(appends), _APPENDED_AT_ONCE):
        batch = appends[start : start + _APPENDED_AT_ONCE]
        for append, result in zip(batch, await log.append(batch), strict=True):
            if isinstance(result, NotAppended):
                raise result.error
            frame = decode_frame(append.payload, task_id=append.address.task_id, stream_id=StreamId("0-0"))
            events += len(frame.events)
    return events
