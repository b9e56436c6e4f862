"""`relayna diff A B`: what came of one run beside what came of another. Owns the command and the looks of its answer."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import click

from relayna.cli.lineage_options import answer_of
from relayna.cli.lineage_output import longest_id, say_missing, write_header
from relayna.cli.options import store_options
from relayna.cli.painting import paint_lineage
from relayna.cli.tables import duration_cell, line_width, write_json, write_table
from relayna.observability.lineage_told import RunsCompared
from relayna.observability.short_ids import ShortIds
from relayna.projections.lineage.run_edges import dollars
from relayna.settings import EffectiveSettings

__all__ = ["command"]

_Style: TypeAlias = Literal["table", "json"]

_KIND_HEADS: Final = ("KIND", "A", "B", "DELTA")
_RUN_HEADS: Final = ("A", "B", "STATUS A", "STATUS B", "DURATION")


@click.command("diff")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True)
@store_options
def command(*, a: str, b: str, style: _Style, effective: EffectiveSettings) -> None:
    """Compare what came of run A with what came of run B: runs matched by how they came about.

    Deltas are B minus A. A run's id that begins with a dash goes after "--".
    """
    found = answer_of(effective.settings, lambda service: service.diff(a, b))
    if style == "json":
        write_json(found)
        return
    write_header(f"{found.a} and {found.b}", _facts(found))
    kinds = [(one.kind, f"{one.a:,}", f"{one.b:,}", f"{one.delta:+,}") for one in found.by_kind]
    write_table(_KIND_HEADS, kinds, right=(1, 2, 3))
    if kinds:
        click.echo()
    write_table(
        _RUN_HEADS,
        _runs(found),
        elastic=(0, 1),
        right=(4,),
        paint=paint_lineage(status=(2, 3)),
        room=line_width(),
    )
    say_missing(found.missing)
    if found.truncated:
        click.echo("relayna: there is more below these runs than is compared", err=True)


def _facts(found: RunsCompared) -> list[str]:
    changes = found.status_changes
    return [
        f"{len(found.matched):,} alike",
        f"{len(found.only_in_a):,} only in A",
        f"{len(found.only_in_b):,} only in B",
        f"{changes:,} {'status' if changes == 1 else 'statuses'} changed",
        f"cost {'-' if found.cost_delta < 0 else '+'}${dollars(abs(found.cost_delta))}",
        f"tokens {found.tokens_delta:+,}",
        f"duration {_duration(found.duration_delta_ms)}",
    ]


def _runs(found: RunsCompared) -> list[tuple[str, ...]]:
    ids = ShortIds(
        [one for pair in found.matched for one in (pair.a, pair.b)] + found.only_in_a + found.only_in_b,
        longest=longest_id(),
    )
    matched = [
        (
            ids.of(one.a),
            ids.of(one.b),
            one.status_a or "-",
            one.status_b or "-",
            _duration(one.duration_delta_ms),
        )
        for one in found.matched
    ]
    only_a = [(ids.of(one), "-", "", "", "") for one in found.only_in_a]
    only_b = [("-", ids.of(one), "", "", "") for one in found.only_in_b]
    return [*matched, *only_a, *only_b]


def _duration(milliseconds: int | None) -> str:
    if milliseconds is None:
        return "unknown"
    return f"{'-' if milliseconds < 0 else '+'}{duration_cell(abs(milliseconds))}"
