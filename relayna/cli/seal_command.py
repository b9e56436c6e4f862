"""`relayna seal`: give back the memory that finished tasks' streams hold for appends that will not come."""

from __future__ import annotations

import anyio
import click

from relayna.cli.options import required_redis_url, store_options
from relayna.observability.sealer import DEFAULT_QUIET_SECONDS, Sealer
from relayna.settings import EffectiveSettings, Settings
from relayna.streams.redis import RedisLog

__all__ = ["command"]


@click.command("seal")
@click.option("--once", is_flag=True, help="Walk the feeds once and end.")
@click.option(
    "--quiet-seconds",
    type=click.FloatRange(min=0),
    default=DEFAULT_QUIET_SECONDS,
    show_default=True,
    help="Seal streams to which nothing was appended for so long.",
)
@click.option(
    "--every",
    "every_seconds",
    type=click.FloatRange(min=1),
    default=60.0,
    show_default=True,
    help="Seconds between two walks.",
)
@store_options
def command(*, once: bool, quiet_seconds: float, every_seconds: float, effective: EffectiveSettings) -> int:
    """Seal the streams of finished tasks, until Ctrl-C: what they say stays, the memory kept free for more goes."""
    anyio.run(_seal, effective.settings, once, quiet_seconds, every_seconds)
    return 0


async def _seal(settings: Settings, once: bool, quiet_seconds: float, every_seconds: float) -> None:
    log = RedisLog(required_redis_url(settings), prefix=settings.prefix, shard_count=settings.shard_count)
    async with log:
        sealer = Sealer(log, quiet_seconds=quiet_seconds)
        if not once:
            await sealer.walk_for_ever(every_seconds=every_seconds)
        report = await sealer.walk()
    click.echo(
        f"relayna: {report.sealed} streams sealed, {report.passed_over} passed over, {report.failed} failed",
        err=True,
    )
