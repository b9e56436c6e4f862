"""`relayna session ID`: all runs of a session and what led to them. Owns the command."""

from __future__ import annotations

import click

from relayna.cli.lineage_options import answer_of, format_option, kinds_option, view_options
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
from relayna.observability.lineage_told import Session
from relayna.observability.lineage_view import LineageView
from relayna.settings import EffectiveSettings

__all__ = ["command"]

_ROOTS_NAMED = 3


@click.command("session")
@click.argument("session_id", metavar="ID")
@kinds_option
@click.option("--at", metavar="TIME", help="As far as had happened by then, as 2026-01-31T10:00:05Z.")
@view_options
@format_option
@store_options
def command(
    *,
    session_id: str,
    kinds: tuple[str, ...],
    at: str | None,
    view: LineageView,
    style: LineageFormat,
    effective: EffectiveSettings,
) -> None:
    """Show all runs of the session of ID and what led to them. A session has the id of its first run.

    COST is that of the edge on its line, and SUBTREE that of the run and of all that came of it. An id that
    begins with a dash goes after "--".
    """
    found = answer_of(
        effective.settings, lambda service: service.session(session_id, kinds=kinds, at=at, view=view)
    )
    if style == "json":
        write_json(found)
        return
    picture = Picture(
        roots=found.stats.root_run_ids,
        runs={run.run_id: run for run in found.runs},
        edges=found.edges,
        groups=found.groups,
        overlays={one.run_id: one for one in found.overlays or ()},
    )
    write_header(f"Session {found.session_id}", _facts(found, picture))
    (write_edges if style == "table" else write_tree)(picture)
    if at is not None and not found.stats.run_count:
        click.echo("relayna: nothing of this session had happened by then", err=True)
    say_missing(found.missing)


def _facts(found: Session, picture: Picture) -> list[str]:
    stats, ids = found.stats, picture.ids()
    roots = [ids.of(root) for root in stats.root_run_ids]
    more = f" and {len(roots) - _ROOTS_NAMED} more" if len(roots) > _ROOTS_NAMED else ""
    named = f"{'root' if len(roots) == 1 else 'roots'} {' '.join(roots[:_ROOTS_NAMED])}{more}"
    return [
        *totals(stats.edge_count, stats.total_cost, stats.total_tokens, runs=found.runs, groups=found.groups),
        *([named] if roots else []),
    ]
