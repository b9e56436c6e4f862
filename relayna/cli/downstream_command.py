"""`relayna downstream RUN`: what came of a run, edge by edge. Owns the command."""

from __future__ import annotations

import click
import msgspec

from relayna.cli.lineage_options import WalkAsked, answer_of, format_option, view_options, walk_options
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
from relayna.observability.lineage_view import LineageView
from relayna.settings import EffectiveSettings

__all__ = ["command"]


@click.command("downstream")
@click.argument("run_id", metavar="RUN")
@walk_options
@view_options
@format_option
@store_options
def command(
    *, run_id: str, walk: WalkAsked, view: LineageView, style: LineageFormat, effective: EffectiveSettings
) -> None:
    """Show what came of RUN, edge by edge. A run is a task, seen from far away.

    COST is that of the edge on its line, and SUBTREE that of the run and of all that came of it. A run's id that
    begins with a dash goes after "--".
    """
    asked = msgspec.structs.asdict(walk)
    found = answer_of(effective.settings, lambda service: service.downstream(run_id, **asked, view=view))
    if style == "json":
        write_json(found)
        return
    picture = Picture(
        roots=[found.root_run_id],
        runs={run.run_id: run for run in found.nodes},
        edges=found.edges,
        groups=found.groups,
        overlays={one.run_id: one for one in found.overlays or ()},
    )
    facts = totals(
        found.counts.total_edges, found.cost_total, found.tokens_total, runs=found.nodes, groups=found.groups
    )
    write_header(f"What came of {found.root_run_id}", facts)
    (write_edges if style == "table" else write_tree)(picture)
    say_missing(found.missing, truncated=found.truncated)
