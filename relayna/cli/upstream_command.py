"""`relayna upstream RUN`: what a run came from, back to its origin. Owns the command."""

from __future__ import annotations

import click
import msgspec

from relayna.cli.lineage_options import WalkAsked, answer_of, format_option, walk_options
from relayna.cli.lineage_output import (
    LineageFormat,
    Picture,
    say_missing,
    totals,
    write_edges,
    write_header,
    write_tree,
)
from relayna.cli.options import store_options
from relayna.cli.tables import write_json
from relayna.settings import EffectiveSettings

__all__ = ["command"]


@click.command("upstream")
@click.argument("run_id", metavar="RUN")
@walk_options
@format_option
@store_options
def command(*, run_id: str, walk: WalkAsked, style: LineageFormat, effective: EffectiveSettings) -> None:
    """Show what RUN came from, back to its origin. A run is a task, seen from far away.

    A run's id that begins with a dash goes after "--".
    """
    asked = msgspec.structs.asdict(walk)
    found = answer_of(effective.settings, lambda service: service.upstream(run_id, **asked))
    if style == "json":
        write_json(found)
        return
    edges = [hop.edge for hop in found.hops]
    runs = {hop.parent_run.run_id: hop.parent_run for hop in found.hops if hop.parent_run}
    runs[found.run.run_id] = found.run
    cost, tokens = sum(edge.cost_attributed for edge in edges), sum(edge.tokens_attributed for edge in edges)
    write_header(f"What {found.run.run_id} came from", totals(len(edges), cost, tokens, runs=runs.values()))
    picture = Picture(roots=[found.run.run_id], runs=runs, edges=edges, up=True)
    (write_edges if style == "table" else write_tree)(picture)
    say_missing(found.missing, truncated=found.truncated)
