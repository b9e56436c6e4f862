"""`relayna list`: tasks by what they have in common. Owns the command and the look of its table."""

from __future__ import annotations

import anyio
import click
from msgspec.structs import replace

from relayna.cli.options import store_options
from relayna.cli.read_models import MOST_REQUESTS, instant_given, reading, say_age
from relayna.cli.tables import duration_cell, time_cell, write_json, write_table
from relayna.observability.read_models import ExecutionPage, ExecutionsWanted
from relayna.observability.read_models.questions import DEFAULT_LIMIT, MOST_LISTED
from relayna.observability.read_models.terms import SORTS, Sort
from relayna.observability.read_models.told import executions_listed
from relayna.projections.task_summary import TaskSummary
from relayna.settings import EffectiveSettings, Settings
from relayna.topologies.topology import TOPOLOGY_KINDS

__all__ = ["command"]


@click.command("list")
@click.option("--status", help="The latest status, as failed.")
@click.option("--topology", type=click.Choice(TOPOLOGY_KINDS), help="The kind of topology.")
@click.option("--queue", help="A queue from which the task was delivered.")
@click.option("--stage", help="A stage that handled it.")
@click.option("--task-type", metavar="TYPE", help="The type that it was published as.")
@click.option("--correlation-id", metavar="ID")
@click.option("--parent", "parent_task_id", metavar="TASK", help="The id of its parent.")
@click.option("--since", metavar="TIME", help="Started then or later, as 2026-01-31T10:00:05Z.")
@click.option("--until", metavar="TIME", help="Started before.")
@click.option("--sort", type=click.Choice(SORTS), default=SORTS[0], show_default=True)
@click.option("--oldest-first", is_flag=True, help="Instead of the newest first.")
@click.option("--limit", type=click.IntRange(1, MOST_LISTED), default=DEFAULT_LIMIT, show_default=True)
@click.option("--cursor", help="Go on where a list with the same options ended.")
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True)
@store_options
def command(
    *,
    sort: Sort,
    oldest_first: bool,
    since: str | None,
    until: str | None,
    limit: int,
    style: str,
    effective: EffectiveSettings,
    **filters: str | None,
) -> int:
    """List tasks, newest start first.

    Times are UTC. The list comes from an index that an indexer keeps up; stderr says when it is behind.
    """
    wanted = ExecutionsWanted(
        since=instant_given("since", since),
        until=instant_given("until", until),
        sort=sort,
        newest_first=not oldest_first,
        limit=limit,
        **filters,
    )
    page = anyio.run(_list, effective.settings, wanted)
    if style == "json":
        write_json(executions_listed(page))
    else:
        heads = ("TASK", "STATUS", "TYPE", "STARTED", "TOOK", "TRIES")
        write_table(heads, [_row(summary) for summary in page.executions], elastic=(0, 1, 2))
        if not page.executions:
            click.echo("relayna: there is no such task", err=True)
        if page.next is not None:
            click.echo(f"relayna: there may be more: --cursor {page.next}", err=True)
    say_age(page.as_of)
    return 0


async def _list(settings: Settings, wanted: ExecutionsWanted) -> ExecutionPage:
    async with reading(settings) as opened:
        page = await opened.lists.executions(wanted)
        for _ in range(MOST_REQUESTS):  # a page may be short, and people want so many
            left = wanted.limit - len(page.executions)
            if page.next is None or not left:
                break
            following = await opened.lists.executions(replace(wanted, cursor=page.next, limit=left))
            page = replace(following, executions=[*page.executions, *following.executions])
    return page


def _row(summary: TaskSummary) -> tuple[str, ...]:
    return (
        summary.task_id,
        summary.status or summary.state,
        summary.task_type or "-",
        time_cell(summary.started_at),
        duration_cell(summary.duration_ms),
        str(summary.attempts),
    )
