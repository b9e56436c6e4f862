"""`relayna upstream RUN`: what a run came from, back to its origin. Owns the command."""

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
from relayna.observability.lineage_told import Upstream
from relayna.projections.lineage.walks import DEFAULT_HOPS
from relayna.settings import EffectiveSettings

__all__ = ["command"]


@click.command("upstream")
@click.argument("run_id", metavar="RUN")
@click.option("--max-hops", type=int, default=DEFAULT_HOPS, show_default=True, help="Edges away at most.")
@click.option("--kinds", metavar="KIND,…", help="Only edges of these kinds, as spawn,retry.")
@click.option("--any-time", is_flag=True, help="Follow edges whatever their times.")
@click.option("--format", "style", type=click.Choice(LINEAGE_FORMATS), default="tree", show_default=True)
@store_options
def command(
    *,
    run_id: str,
    max_hops: int,
    kinds: str | None,
    any_time: bool,
    style: LineageFormat,
    effective: EffectiveSettings,
) -> None:
    """Show what RUN came from, back to its origin. A run is a task, seen from far away.

    A run's id that begins with a dash goes after "--".
    """

    async def ask(service: LineageService) -> Upstream:
        return await service.upstream(
            run_id, max_hops=max_hops, kinds=kinds_given(kinds), causal=not any_time
        )

    found = anyio.run(partial(answered, effective.settings, ask))
    if style == "json":
        write_json(found)
        return
    edges = [hop.edge for hop in found.hops]
    runs = {hop.parent_run.run_id: hop.parent_run for hop in found.hops if hop.parent_run}
    runs[found.run.run_id] = found.run
    if style == "table":
        write_edges(edges, runs)
    else:
        write_tree([found.run.run_id], edges, runs, up=True)
    say_missing(found.missing, truncated=found.truncated)
