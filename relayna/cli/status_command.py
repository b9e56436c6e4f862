"""`relayna status TASK`: where a task stands, on one screen."""

from __future__ import annotations

import sys
from typing import Final, Literal

import anyio
import click
import msgspec

from relayna.cli.options import required_redis_url, store_options
from relayna.cli.output import console
from relayna.observability.graph_service import ExecutionGraphService
from relayna.observability.standing_terminal import print_standing
from relayna.projections.standing import Standing, standing_of
from relayna.settings import EffectiveSettings, Settings
from relayna.streams import checked_tenant
from relayna.streams.redis import RedisLog

__all__ = ["command"]

_NODES: Final = 50_000
"""Counts are of all that there is, up to a graph of so many nodes."""


@click.command("status")
@click.argument("task_id", metavar="TASK")
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True)
@store_options
def command(*, task_id: str, style: Literal["table", "json"], effective: EffectiveSettings) -> None:
    """Say where TASK stands: its status, what runs, what it waits for and how it failed last.

    A task id that begins with a dash goes after "--".
    """
    standing = anyio.run(_get_standing, effective.settings, task_id)
    if style == "json":
        sys.stdout.buffer.write(msgspec.json.encode(standing) + b"\n")
    else:
        print_standing(standing, console())


async def _get_standing(settings: Settings, task_id: str) -> Standing:
    log = RedisLog(required_redis_url(settings), prefix=settings.prefix, shard_count=settings.shard_count)
    async with log:
        service = ExecutionGraphService(
            log=log, tenant=checked_tenant(settings.tenant), retention_seconds=settings.retention_seconds
        )
        return standing_of(await service.get_graph(task_id, depth=0, max_nodes=_NODES))
