"""`relayna session ID`: all runs of a session and what led to them. Owns the command."""

from __future__ import annotations

from functools import partial

import anyio
import click

from relayna.cli.lineage_output import (
    LINEAGE_FORMATS,
    LineageFormat,
    answered,
    kinds_given,
    say_missing,
    write_edges,
    write_tree,
)
from relayna.cli.options import store_options
from relayna.cli.tables import write_json
from relayna.observability.lineage_service import LineageService
from relayna.observability.lineage_told import Session
from relayna.projections.lineage.run_edges import dollars
from relayna.settings import EffectiveSettings

__all__ = ["command"]


@click.command("session")
@click.argument("session_id", metavar="ID")
@click.option("--kinds", metavar="KIND,…", help="Only edges of these kinds, as spawn,retry.")
@click.option("--at", metavar="TIME", help="As far as had happened by then, as 2026-01-31T10:00:05Z.")
@click.option("--format", "style", type=click.Choice(LINEAGE_FORMATS), default="tree", show_default=True)
@store_options
def command(
    *, session_id: str, kinds: str | None, at: str | None, style: LineageFormat, effective: EffectiveSettings
) -> None:
    """Show all runs of the session of ID and what led to them. A session has the id of its first run.

    An id that begins with a dash goes after "--".
    """

    async def ask(service: LineageService) -> Session:
        return await service.session(session_id, kinds=kinds_given(kinds), at=at)

    found = anyio.run(partial(answered, effective.settings, ask))
    if style == "json":
        write_json(found)
        return
    runs = {run.run_id: run for run in found.runs}
    if style == "table":
        write_edges(found.edges, runs)
    else:
        write_tree(found.stats.root_run_ids, found.edges, runs)
    stats = found.stats
    click.echo(
        f"runs: {stats.run_count:,}  edges: {stats.edge_count:,}  cost: ${dollars(stats.total_cost)}  "
        f"tokens: {stats.total_tokens:,}"
    )
    say_missing(found.missing)
