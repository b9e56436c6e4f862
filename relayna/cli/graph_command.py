"""`relayna graph TASK`: draw what happened to a task."""

from __future__ import annotations

from typing import TypedDict, Unpack

import anyio
import click

from relayna.cli.options import required_redis_url, store_options
from relayna.cli.output import GRAPH_FORMATS, GraphFormat, write_graph
from relayna.observability.graph_service import ExecutionGraphService
from relayna.projections.graph import ExecutionGraph
from relayna.projections.graph_view import COLLAPSES, GRAPH_VIEWS
from relayna.settings import EffectiveSettings, Settings
from relayna.streams import checked_tenant
from relayna.streams.redis import RedisLog

__all__ = ["command"]

_PARTIAL = 5


class _Question(TypedDict):
    """What is asked, beside the task."""

    at: str | None
    as_of: str | None
    depth: int
    max_nodes: int | None
    view: str
    collapse: tuple[str, ...]


@click.command("graph")
@click.argument("task_id", metavar="TASK")
@click.option("--format", "style", type=click.Choice(GRAPH_FORMATS), default="tree", show_default=True)
@click.option("--at", metavar="TIME", help="Only what had happened by then, as 2026-01-31T10:00:05Z.")
@click.option(
    "--as-of", metavar="TIME", help="Only what was known by then; or the version of an earlier answer."
)
@click.option("--depth", type=int, default=3, show_default=True, help="Generations of children to draw.")
@click.option("--max-nodes", type=int, help="Draw at most this many nodes.")
@click.option(
    "--view",
    type=click.Choice(GRAPH_VIEWS),
    default=GRAPH_VIEWS[0],
    show_default=True,
    help="The part to draw.",
)
@click.option(
    "--collapse",
    type=click.Choice(COLLAPSES),
    multiple=True,
    help="Fold many alike into one; may be repeated.",
)
@click.option("--require-full", is_flag=True, help="Exit with 5 when something is known to be missing.")
@store_options
def command(
    *,
    task_id: str,
    style: GraphFormat,
    require_full: bool,
    effective: EffectiveSettings,
    **question: Unpack[_Question],
) -> int:
    """Draw what happened to TASK, what caused what and what is missing.

    A task id that begins with a dash goes after "--".
    """
    graph = anyio.run(_get_graph, effective.settings, task_id, question)
    write_graph(graph, style)
    if require_full and graph.summary.graph_completeness != "full":
        reasons = ", ".join(graph.annotations.get("completeness", ()))
        click.echo(f"relayna: the graph is partial: {reasons}", err=True)
        return _PARTIAL
    return 0


async def _get_graph(settings: Settings, task_id: str, question: _Question) -> ExecutionGraph:
    log = RedisLog(required_redis_url(settings), prefix=settings.prefix, shard_count=settings.shard_count)
    async with log:
        service = ExecutionGraphService(
            log=log, tenant=checked_tenant(settings.tenant), retention_seconds=settings.retention_seconds
        )
        return await service.get_graph(task_id, **question)
