"""What commands that read lists and statistics share: how they are opened, and what is said of their age."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import click
from msgspec import Struct

from relayna.cli.options import required_redis_url
from relayna.errors import InvalidQuery
from relayna.instants import Instant, format_instant, parse_instant
from relayna.observability.read_models import (
    AsOf,
    ExecutionLists,
    ReadModelProgress,
    StatisticsService,
    read_models_beside,
)
from relayna.observability.run_records.retention import RunRetention
from relayna.observability.wording import duration_words
from relayna.settings import Settings
from relayna.streams import checked_tenant
from relayna.streams.read_models import ReadModels
from relayna.streams.redis import RedisLog

__all__ = [
    "MOST_REQUESTS",
    "Reading",
    "instant_given",
    "log_and_models",
    "reading",
    "run_retention",
    "say_age",
    "say_lag",
]

MOST_REQUESTS: Final = 20
"""So many pages of the index are asked for to fill one of ours."""
_WORTH_SAYING_MS: Final = 5_000


class Reading(Struct, frozen=True):
    """What answers."""

    lists: ExecutionLists
    statistics: StatisticsService


def log_and_models(settings: Settings) -> tuple[RedisLog, ReadModels]:
    """The log of these settings, not entered yet, and the read models beside it."""
    log = RedisLog(required_redis_url(settings), prefix=settings.prefix, shard_count=settings.shard_count)
    return log, read_models_beside(log)


@asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[Reading]:
    """Open what answers. Raises `StoreError` and `InvalidSetting`."""
    log, models = log_and_models(settings)
    tenant = checked_tenant(settings.tenant)
    async with log:
        progress = ReadModelProgress(log=log, read_models=models)
        kept = max(settings.retention_seconds, settings.open_retention_seconds)
        yield Reading(
            ExecutionLists(read_models=models, progress=progress, tenant=tenant),
            StatisticsService(read_models=models, progress=progress, tenant=tenant, kept_seconds=kept),
        )


def run_retention(settings: Settings) -> RunRetention:
    """How long these settings keep runs and the edges between them."""
    return RunRetention(
        days=settings.lineage_retention_days, by_tenant=settings.lineage_retention_days_by_tenant
    )


def instant_given(option: str, text: str | None) -> Instant | None:
    """The time that an option says. Raises `InvalidQuery`."""
    if text is None:
        return None
    instant = parse_instant(text)
    if instant is None:
        raise InvalidQuery(option, f"{text[:80]!r} is no time; use ISO 8601, as in 2026-01-31T10:00:05Z")
    return instant


def say_age(as_of: AsOf, *, kept: str = "lists") -> None:
    """Say on stderr how far behind the answer is, which is from what is `kept`, when that is worth saying."""
    remedy = f"`relayna serve` keeps {kept} up, and `relayna reindex` makes them anew"
    if as_of.as_of is None:
        click.echo(f"relayna: tasks of {as_of.shards_unread} shards are not in it yet; {remedy}", err=True)
    elif as_of.lag_ms is not None and as_of.lag_ms >= _WORTH_SAYING_MS:
        behind, moment = duration_words(as_of.lag_ms), format_instant(as_of.as_of)
        click.echo(f"relayna: this is as of {moment}, {behind} ago; {remedy}", err=True)


def say_lag(as_of: str | None, lag_ms: int | None) -> None:
    """Say on stderr how far run records are behind that some of an answer is from, when that is worth saying."""
    if as_of is not None and lag_ms is not None and lag_ms >= _WORTH_SAYING_MS:
        remedy = "`relayna serve` keeps them up, and `relayna reindex` makes them anew"
        behind = duration_words(lag_ms)
        click.echo(
            f"relayna: some of this is from run records as of {as_of}, {behind} ago; {remedy}", err=True
        )
