"""`relayna reshard`: bring all streams under a new prefix with another number of shards.

Owns the command and its exit codes: 0 when every stream is there, 1 when some could not be read. The old prefix
stays as it is, and expires by itself.
"""

from __future__ import annotations

import anyio
import click

from relayna.cli.options import required_redis_url, store_options
from relayna.cli.progress import Progress
from relayna.observability.archive import Importer, ImportReport
from relayna.observability.resharding import reshard
from relayna.settings import EffectiveSettings, Settings
from relayna.streams.redis import RedisLog

__all__ = ["command"]


@click.command("reshard")
@click.option("--shards", type=click.IntRange(1, 16_384), required=True, help="How many the new prefix has.")
@click.option("--to-prefix", required=True, metavar="PREFIX", help="The new prefix; not the one of --prefix.")
@click.option("--to-redis-url", metavar="URL", help="Where the new prefix lies, when it is another store.")
@store_options
def command(*, shards: int, to_prefix: str, to_redis_url: str | None, effective: EffectiveSettings) -> int:
    """Copy every stream to a prefix with another number of shards.

    Run it, let workers and readers move (RELAYNA_PREFIX, RELAYNA_SHARD_COUNT), and run it once more for what was
    recorded in between: what is there already is not added again.
    """
    settings = effective.settings
    if to_prefix == settings.prefix and to_redis_url is None:
        raise click.UsageError("--to-prefix is the prefix that the streams are under; name a new one.")
    report = anyio.run(_reshard, settings, shards, to_prefix, to_redis_url)
    for problem in report.unreadable[:20]:
        click.echo(f"relayna: {problem}", err=True)
    click.echo(
        f"relayna: {report.frames} frames of {report.tasks} tasks added under {to_prefix!r}, {report.known} were "
        f"there already, {len(report.unreadable)} could not be read",
        err=True,
    )
    return 1 if report.unreadable else 0


async def _reshard(settings: Settings, shards: int, to_prefix: str, to_redis_url: str | None) -> ImportReport:
    url = required_redis_url(settings)
    source = RedisLog(url, prefix=settings.prefix, shard_count=settings.shard_count)
    target = RedisLog(
        to_redis_url or url,
        prefix=to_prefix,
        shard_count=shards,
        retention_seconds=settings.retention_seconds,
        open_retention_seconds=settings.open_retention_seconds,
    )
    async with source, target:
        importer = Importer(target, retention_seconds=settings.retention_seconds)
        with Progress("tasks") as progress:
            async for _ in reshard(source, importer):
                progress.step()
    return importer.report
