"""How far behind the streams the read models are: what every answer from them says of itself.

Owns the comparison of checkpoints with feeds. Folds nothing.
"""

from __future__ import annotations

from typing import Final

import anyio

from relayna.clock import Clock, SystemClock
from relayna.ids import StreamId, TaskId, Tenant, stream_position
from relayna.instants import Instant
from relayna.observability.read_models.questions import AsOf
from relayna.observability.read_models.sources import LogSource, source_of
from relayna.observability.read_models.terms import FOLD_VERSION
from relayna.streams import Log
from relayna.streams.log import START, FeedReference
from relayna.streams.read_models import Checkpoint, ReadModels

__all__ = ["ReadModelProgress"]

_HELD_SECONDS: Final = 1.0


class ReadModelProgress:
    """Looks at all shards in two round trips, at most once a second. The log and the read models must be open."""

    def __init__(
        self,
        *,
        log: Log,
        read_models: ReadModels,
        source: LogSource | None = None,
        clock: Clock | None = None,
        held_seconds: float = _HELD_SECONDS,
    ) -> None:
        """Raises `InvalidSetting` for a log that is neither in memory nor on servers, without a `source`."""
        self._shards = range(log.keys.shard_count)
        self._source = source or source_of(log)
        self._models = read_models
        self._clock = clock or SystemClock()
        self._held_micros = round(held_seconds * 1_000_000)
        self._looking = anyio.Lock()
        self._known: tuple[Instant, AsOf] | None = None

    async def as_of(self) -> AsOf:
        """Of which moment the read models speak. Raises `StoreError`."""
        async with self._looking:
            now = self._clock.now()
            if self._known is None or not 0 <= now - self._known[0] < self._held_micros:
                self._known = now, await self._look(now)
            return self._known[1]

    async def unfolded(self, tenant: Tenant, *, most: int) -> list[TaskId] | None:
        """The tenant's tasks that were appended to since; None when more were, or when that cannot be said."""
        checkpoints = await self._models.checkpoints(self._shards)
        positions = {shard: _position(one) for shard, one in zip(self._shards, checkpoints, strict=True)}
        feeds = await self._source.feeds(positions, limit=most + 2)
        found: dict[TaskId, None] = {}
        for shard, checkpoint in zip(self._shards, checkpoints, strict=True):
            news = _after(feeds[shard], positions[shard])
            if news and (checkpoint is None or checkpoint.fold_version != FOLD_VERSION or len(news) > most):
                return None
            found |= dict.fromkeys(one.address.task_id for one in news if one.address.tenant == tenant)
        return list(found) if len(found) <= most else None

    async def _look(self, now: Instant) -> AsOf:
        checkpoints = await self._models.checkpoints(self._shards)
        positions = {shard: _position(one) for shard, one in zip(self._shards, checkpoints, strict=True)}
        feeds = await self._source.feeds(positions, limit=2)
        unfolded: list[int] = []
        unread = 0
        for shard, checkpoint in zip(self._shards, checkpoints, strict=True):
            news = _after(feeds[shard], positions[shard])
            if news and (checkpoint is None or checkpoint.fold_version != FOLD_VERSION):
                unread += 1
            elif news:
                unfolded.append(stream_position(news[0].stream_id)[0])
        if unread:
            return AsOf(as_of=None, lag_ms=None, shards_unread=unread)
        as_of = min((Instant(told * 1_000) for told in unfolded), default=now)
        as_of = min(now, as_of)  # the store's clock may be ahead of ours
        return AsOf(as_of=as_of, lag_ms=(now - as_of) // 1_000)


def _position(checkpoint: Checkpoint | None) -> StreamId:
    return START if checkpoint is None else checkpoint.position


def _after(references: list[FeedReference], position: StreamId) -> list[FeedReference]:
    reached = stream_position(position)
    return [one for one in references if stream_position(one.stream_id) > reached]
