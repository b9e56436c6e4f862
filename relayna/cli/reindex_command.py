"""`relayna reindex`: make lists and statistics anew from the streams.

Owns the command and its exit codes: 0 when all of it is made, 1 when some tasks could not be read or folded.
"""

from __future__ import annotations

import anyio
import click

from relayna.cli.options import store_options
from relayna.cli.progress import Progress
from relayna.cli.read_models import log_and_models, run_retention
from relayna.observability.read_models import Reindexing, ReindexProgress
from relayna.settings import EffectiveSettings, Settings

__all__ = ["command"]


@click.command("reindex")
@click.option("--dry-run", is_flag=True, help="Say how many tasks there are, and change nothing.")
@store_options
def command(*, dry_run: bool, effective: EffectiveSettings) -> int:
    """Make lists, failures and statistics anew from the streams, of all tenants under the prefix.

    Indexers may go on: each gives up its part of the work in turn, and takes it up again afterwards. Meanwhile
    lists miss what is not made anew yet. The streams are not changed.
    """
    if dry_run:
        count = anyio.run(_count, effective.settings)
        click.echo(f"relayna: {count} tasks have a stream; nothing was changed", err=True)
        return 0
    done = anyio.run(_reindex, effective.settings)
    failed = f", {done.tasks_failed} could not be read" if done.tasks_failed else ""
    click.echo(f"relayna: {done.tasks_folded} tasks folded anew in {done.shards} shards{failed}", err=True)
    return 1 if done.tasks_failed else 0


async def _count(settings: Settings) -> int:
    log, models = log_and_models(settings)
    async with log:
        return await Reindexing(log=log, read_models=models).count_tasks()


async def _reindex(settings: Settings) -> ReindexProgress:
    log, models = log_and_models(settings)
    done = ReindexProgress(shards=log.keys.shard_count)
    reindexing = Reindexing(log=log, read_models=models, run_retention=run_retention(settings))
    async with log:
        with Progress("tasks folded") as progress:
            async for step in reindexing.run():
                for _ in range(step.tasks_folded - done.tasks_folded):
                    progress.step()
                done = step
    return done
