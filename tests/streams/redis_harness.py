"""A harness for logs on real servers, alone or in a cluster."""

from __future__ import annotations

from servers import StoreUnderTest
from streams.log_harness import OPEN_RETENTION_SECONDS, RETENTION_SECONDS

from relayna.streams.keys import KeyGrammar, TaskAddress
from relayna.streams.redis.log import RedisLog

__all__ = ["RedisHarness", "log_on"]


class RedisHarness:
    """Logs under one test's prefix."""

    def __init__(self, store: StoreUnderTest) -> None:
        self._store = store
        self._keys = KeyGrammar(store.prefix, 4)

    def log(
        self,
        *,
        shard_count: int = 4,
        retention_seconds: int = RETENTION_SECONDS,
        open_retention_seconds: int = OPEN_RETENTION_SECONDS,
    ) -> RedisLog:
        return RedisLog(
            self._store.url,
            prefix=self._store.prefix,
            shard_count=shard_count,
            retention_seconds=retention_seconds,
            open_retention_seconds=open_retention_seconds,
        )

    async def trim(self, of: TaskAddress, *, keep: int) -> None:
        self._store.admin.xtrim(self._keys.events(of), maxlen=keep, approximate=False)

    async def delete(self, of: TaskAddress) -> None:
        self._store.admin.delete(self._keys.events(of))

    async def age(self, of: TaskAddress, *, seconds: int) -> None:
        key = self._keys.events(of)
        self._store.admin.pexpire(key, max(0, self._store.admin.pttl(key) - seconds * 1000))


def log_on(store: StoreUnderTest, *, shard_count: int = 4, retention_seconds: int = 3_600) -> RedisLog:
    return RedisLog(
        store.url, prefix=store.prefix, shard_count=shard_count, retention_seconds=retention_seconds
    )
