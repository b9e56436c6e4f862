"""`relayna failures`: failed attempts of all tasks. Owns the command and the look of its table."""

from __future__ import annotations

import anyio
import click
from msgspec.structs import replace

from relayna.cli.options import store_options
from relayna.cli.read_models import MOST_REQUESTS, instant_given, reading, say_age
from relayna.cli.tables import time_cell, write_json, write_table
from relayna.observability.read_models import FailurePage, FailuresWanted, ListedFailure
from relayna.observability.read_models.questions import DEFAULT_LIMIT, MOST_LISTED
from relayna.observability.read_models.told import failures_listed
from relayna.settings import EffectiveSettings, Settings

__all__ = ["command"]


@click.command("failures")
@click.option("--queue", help="The queue that the failed attempt was delivered from.")
@click.option("--stage", help="The stage that failed.")
@click.option("--exception", "exception_type", metavar="TYPE", help="As TimeoutError.")
@click.option("--since", metavar="TIME", help="Failed then or later, as 2026-01-31T10:00:05Z.")
@click.option("--until", metavar="TIME", help="Failed before.")
@click.option("--limit", type=click.IntRange(1, MOST_LISTED), default=DEFAULT_LIMIT, show_default=True)
@click.option("--cursor", help="Go on where a list with the same options ended.")
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True)
@store_options
def command(
    *,
    since: str | None,
    until: str | None,
    limit: int,
    style: str,
    effective: EffectiveSettings,
    **filters: str | None,
) -> int:
    """List failed attempts of all tasks, newest first.

    Times are UTC. The list comes from an index that an indexer keeps up; stderr says when it is behind.
    """
    wanted = FailuresWanted(
        since=instant_given("since", since), until=instant_given("until", until), limit=limit, **filters
    )
    page = anyio.run(_failures, effective.settings, wanted)
    if style == "json":
        write_json(failures_listed(page))
    else:
        heads = ("TIME", "TASK", "TRY", "WHERE", "WHY", "THEN")
        write_table(heads, [_row(listed) for listed in page.failures], elastic=(1, 3, 4))
        if not page.failures:
            click.echo("relayna: there is no such failure", err=True)
        if page.next is not None:
            click.echo(f"relayna: there may be more: --cursor {page.next}", err=True)
    say_age(page.as_of)
    return 0


async def _failures(settings: Settings, wanted: FailuresWanted) -> FailurePage:
    async with reading(settings) as opened:
        page = await opened.lists.failures(wanted)
        for _ in range(MOST_REQUESTS):  # a page may be short, and people want so many
            left = wanted.limit - len(page.failures)
            if page.next is None or not left:
                break
            following = await opened.lists.failures(replace(wanted, cursor=page.next, limit=left))
            page = replace(following, failures=[*page.failures, *following.failures])
    return page


def _row(listed: ListedFailure) -> tuple[str, ...]:
    failure = listed.failure
    why = failure.exception_type or failure.reason or "-"
    return (
        time_cell(failure.at)[5:],  # without the year: the index does not reach so far back
        listed.task_id,
        str(failure.number),
        failure.stage or failure.queue_name or "-",
        f"{why}: {failure.exception_message}" if failure.exception_message else why,
        failure.outcome,
    )
