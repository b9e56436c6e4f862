"""`relayna drain`: bring into the store what dead processes left in a spool.

Owns the command and its exit codes: 0 when nothing is left, 1 when something is, 4 when the store does not
answer. It only adds, so it does so at once.
"""

from __future__ import annotations

from pathlib import Path

import anyio
import click

from relayna.cli.options import required_redis_url, store_options
from relayna.errors import InvalidSetting
from relayna.settings import EffectiveSettings, Settings
from relayna.streams.recording.spool_drain import SpoolReport, count_spool, drain_spool
from relayna.streams.redis import RedisLog
from relayna.streams.spool import Spool

__all__ = ["command"]


@click.command("drain")
@click.option(
    "--spool-directory",
    metavar="DIR",
    help="Where workers spool. [env: RELAYNA_SPOOL_DIRECTORY]",
)
@click.option("--dry-run", is_flag=True, help="Say what waits, and leave it there.")
@store_options
def command(*, dry_run: bool, effective: EffectiveSettings) -> int:
    """Bring what dead processes left in the spool into the store. What living ones wait with stays theirs."""
    directory = _directory(effective.settings)
    if dry_run:
        return _count(Spool(directory))
    report = anyio.run(_drain, effective.settings, directory)
    click.echo(
        f"relayna: {report.frames} frames of {report.segments} segments are in the store, "
        f"{report.refused} were refused and stay in the spool, {report.damaged_bytes} bytes were damaged",
        err=True,
    )
    _tell_unread(report)
    if report.problem is not None:
        click.echo(f"relayna: {report.problem}", err=True)
    return 1 if report.refused or report.unread else 0


def _directory(settings: Settings) -> Path:
    if settings.spool_directory is None:
        raise InvalidSetting(
            "spool_directory", "default", "it is not set; give --spool-directory or RELAYNA_SPOOL_DIRECTORY"
        )
    return Path(settings.spool_directory)


def _count(spool: Spool) -> int:
    report = count_spool(spool)
    spool.close()
    click.echo(
        f"relayna: {report.frames} frames wait in {report.segments} segments, "
        f"{report.damaged_bytes} bytes are damaged",
        err=True,
    )
    _tell_unread(report)
    return 1 if report.segments or report.unread else 0


def _tell_unread(report: SpoolReport) -> None:
    if report.unread:
        click.echo(f"relayna: {report.unread} segments cannot be read, and lie there still", err=True)


async def _drain(settings: Settings, directory: Path) -> SpoolReport:
    log = RedisLog(
        required_redis_url(settings),
        prefix=settings.prefix,
        shard_count=settings.shard_count,
        retention_seconds=settings.retention_seconds,
        open_retention_seconds=settings.open_retention_seconds,
    )
    spool = Spool(directory)
    try:
        async with log:
            return await drain_spool(spool, log)
    finally:
        await anyio.to_thread.run_sync(spool.close)
