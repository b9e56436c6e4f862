"""How commands open the records of runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from relayna.cli.options import required_redis_url
from relayna.observability.run_records.known_runs import KnownRuns
from relayna.settings import Settings
from relayna.streams import checked_tenant
from relayna.streams.redis import RedisLog
from relayna.streams.redis.run_records import RedisRunRecords
from relayna.streams.run_records import RunRecords

__all__ = ["known_runs", "opened_records"]


def known_runs(log: RedisLog, settings: Settings) -> KnownRuns:
    """The runs that have records beside this log, of the tenant of these settings."""
    return KnownRuns(RedisRunRecords(log), tenant=checked_tenant(settings.tenant))


@asynccontextmanager
async def opened_records(settings: Settings) -> AsyncIterator[RunRecords]:
    """Open the records of these settings. Raises `StoreError` and `InvalidSetting`."""
    log = RedisLog(required_redis_url(settings), prefix=settings.prefix, shard_count=settings.shard_count)
    async with log:
        yield RedisRunRecords(log)
