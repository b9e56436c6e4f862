"""How commands write lineage: a header, then a tree in which each run stands once or a table, or JSON.

Owns their looks. What stands below what `lineage_tree.py` knows. Names come from messages: they are written without
control characters.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, TypeAlias

import click
from msgspec import Struct, field

from relayna.cli.lineage_tree import Drawn, TreeLine, tree_lines
from relayna.cli.painting import has_colours, paint_lineage
from relayna.cli.tables import UNBOUND, duration_cell, line_width, printed, write_table
from relayna.instants import UNTIMED, Instant, parse_instant
from relayna.observability.lineage_told import RunEdgeTold, RunTold
from relayna.observability.short_ids import ShortIds
from relayna.observability.shown_runs import GroupTold
from relayna.projections.lineage.overlays import RunOverlay
from relayna.projections.lineage.run_edges import dollar_digits, dollars
from relayna.topologies.topology import TOPOLOGY_KINDS

__all__ = [
    "LINEAGE_FORMATS",
    "LineageFormat",
    "Picture",
    "longest_id",
    "say_missing",
    "totals",
    "write_edges",
    "write_header",
    "write_tree",
]

LineageFormat: TypeAlias = Literal["table", "tree", "json"]
LINEAGE_FORMATS: Final = ("table", "tree", "json")

_WIDE: Final = 120
_ROOMY: Final = 160
"""From here on ids are whole."""
_NARROW_ID: Final = 12
"""So that two ids have room in a narrow table, and neither is cut beyond recognition."""
_LONG_ID: Final = 20
_TABLE_HEADS: Final = ("AFTER", "KIND", "FROM", "TO", "STATUS", "COST", "TOKENS", "AGENT")
_TREE_HEADS: Final = ("RUN", "STATUS", "DECIDED", "COST", "SUBTREE", "TOKENS")
_STATUS: Final = 1


class Picture(Struct, frozen=True, kw_only=True):
    """What is drawn."""

    roots: Sequence[str]
    runs: Mapping[str, RunTold]
    edges: Sequence[RunEdgeTold]
    groups: Sequence[GroupTold] = ()
    overlays: Mapping[str, RunOverlay] = field(default_factory=dict)
    up: bool = False

    def digits(self) -> int:
        """Of dollars, the same for all that it shows."""
        subtrees = (one.subtree_cost for one in self.overlays.values())
        edges = (edge.cost_attributed for edge in self.edges)
        return dollar_digits([*edges, *(group.cost for group in self.groups), *subtrees])

    def ids(self, *, narrow: int = _LONG_ID) -> ShortIds:
        """For all that it names; `narrow` as in `longest_id`."""
        ends = (end for edge in self.edges for end in (edge.source_run, edge.target_run) if end is not None)
        return ShortIds(
            [*self.roots, *self.runs, *ends, *(group.parent_run for group in self.groups)],
            longest=longest_id(narrow=narrow),
        )


def write_header(title: str, facts: Iterable[str]) -> None:
    """What is drawn, and its numbers, within the width that there is; then an empty line."""
    click.echo(click.style(printed(title), bold=True) if has_colours() else printed(title))
    text = printed(", ".join(facts))
    for line in textwrap.wrap(text, line_width(), break_long_words=False, break_on_hyphens=False):
        click.echo(line)
    click.echo()


def say_missing(missing: list[str], *, truncated: bool = False) -> None:
    """On stderr, what the answer lacks."""
    if truncated:
        click.echo("relayna: there is more beyond these hops (--max-hops)", err=True)
    if missing:
        click.echo(f"relayna: some histories are not whole: {', '.join(missing)}", err=True)


def write_edges(picture: Picture) -> None:
    """A line for each edge and group, in order, with how long after the first of all it was."""
    ids = picture.ids(narrow=_NARROW_ID)
    drawn: list[Drawn] = [*picture.edges, *picture.groups]
    times = [time for one in drawn if (time := _at(one)) is not None]
    first = min(times, default=None)
    ordered = sorted(drawn, key=lambda one: _at(one) or UNTIMED)
    digits = picture.digits()
    rows = [(_after(first, _at(one)), *_table_cells(one, picture, ids, digits)) for one in ordered]
    paint = paint_lineage(status=4)
    columns = len(_TABLE_HEADS) if line_width() >= _WIDE else _TABLE_HEADS.index("AGENT")
    write_table(
        _TABLE_HEADS[:columns],
        [row[:columns] for row in rows],
        elastic=[column for column in (1, 2, 3, 4, 7) if column < columns],
        right=(0, 5, 6),
        paint=paint,
        room=line_width(),
    )


def write_tree(picture: Picture) -> None:
    """A line for each edge; columns in which nothing stands are left out."""
    lines = tree_lines(picture.roots, picture.edges, picture.runs, groups=picture.groups, up=picture.up)
    rows = list(map(_TreeRows(picture).row, lines))
    shown = [at for at in range(len(_TREE_HEADS)) if at <= _STATUS or any(row[at] for row in rows)]
    status, decided = shown.index(_STATUS), shown.index(2) if 2 in shown else None
    write_table(
        [_TREE_HEADS[at] for at in shown],
        [[row[at] for at in shown] for row in rows],
        elastic=(0, status),
        right=[number for number, at in enumerate(shown) if at > 2],
        paint=paint_lineage(status=status, tree=0, decided=decided),
        room=line_width(),
    )


def totals(
    edges: int, cost: int, tokens: int, *, runs: Iterable[RunTold], groups: Iterable[GroupTold] = ()
) -> list[str]:
    """The numbers of an answer in words."""
    statuses = Counter(run.status or "unknown" for run in runs)
    for group in groups:
        statuses.update(group.by_status)
    count = statuses.total()
    told = f" ({_counts(statuses)})" if count else ""
    return [
        f"{count:,} {'run' if count == 1 else 'runs'}{told}",
        f"{edges:,} {'edge' if edges == 1 else 'edges'}",
        f"${dollars(cost)}",
        f"{tokens:,} tokens",
    ]


def _table_cells(one: Drawn, picture: Picture, ids: ShortIds, digits: int) -> tuple[str, ...]:
    if isinstance(one, GroupTold):
        spent = _spent(one.cost, one.tokens, digits=digits, zero=True)
        return one.kind, ids.of(one.parent_run), _group(one), _counts(one.by_status), *spent, _who(one)
    source = "-" if one.source_run is None else ids.of(one.source_run)
    status = _status(picture.runs.get(one.target_run)) or "-"
    spent = _spent(one.cost_attributed, one.tokens_attributed, digits=digits, zero=True)
    run = picture.runs.get(one.target_run)
    who = "" if run is None else _who(run)
    return one.kind, source, ids.of(one.target_run), status, *spent, f"{who}{_key(one)}".strip() or "-"


class _TreeRows:
    """Lines of a tree as the cells of a table."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._ids = picture.ids()
        self._digits = picture.digits()
        self._births = {edge.target_run: edge for edge in reversed(picture.edges) if edge.is_birth}

    def row(self, line: TreeLine) -> tuple[str, ...]:
        what, picture = line.what, self._picture
        if isinstance(what, GroupTold):
            text = f"{line.guides}{what.kind} → {what.group_id}  {_group(what)}"
            return (
                text,
                _counts(what.by_status),
                "",
                *_spent_in_tree(what.cost, None, what.tokens, self._digits),
            )
        run = picture.runs.get(line.run_id or "") if line.is_new else None
        overlay = None if run is None else picture.overlays.get(run.run_id)
        charged = self._charged(line, what)
        cost, tokens = (0, 0) if charged is None else (charged.cost_attributed, charged.tokens_attributed)
        return (
            f"{line.guides}{self._words(line, what, run)}",
            _status(run),
            "" if overlay is None else overlay.worst_action or "",
            *_spent_in_tree(cost, overlay, tokens, self._digits),
        )

    def _charged(self, line: TreeLine, what: RunEdgeTold | None) -> RunEdgeTold | None:
        """The edge whose cost stands on the line: on the way up, that by which the run on it was born."""
        if not self._picture.up or (what is not None and what.source_run == what.target_run):
            return what
        return self._births.get(line.run_id or "") if line.is_new else None

    def _words(self, line: TreeLine, what: RunEdgeTold | None, run: RunTold | None) -> str:
        named = "" if line.run_id is None else self._ids.of(line.run_id)
        agent = f"  {_who(run)}" if run is not None and _who(run) else ""
        if what is None:
            return f"{named}{agent}"
        if line.is_root:
            return f"{named}{agent}  ({_origin(what, self._ids)})"
        label = f"{_key(what)}  {what.label!r}" if what.label else _key(what)
        if what.source_run == what.target_run:
            return f"{what.kind}{label}"
        if line.run_id is None:
            return f"{_origin(what, self._ids) if what.is_birth else f'{what.kind} from outside'}{label}"
        variant = "" if what.variant is None else f" ({what.variant})"
        arrow = "→" if line.run_id == what.target_run else "←"
        return f"{what.kind}{variant} {arrow} {named}{agent if line.is_new else '  (above)'}{label}"


def _origin(edge: RunEdgeTold, ids: ShortIds) -> str:
    if edge.source_run is None:
        return f"origin: {edge.kind}"
    preposition = "" if edge.kind.endswith("_from") else " from"
    return f"origin: {edge.kind}{preposition} {ids.of(edge.source_run)}"


def _group(group: GroupTold) -> str:
    return f"{len(group.run_ids):,} x {_who(group) or 'runs alike'}"


def _who(one: RunTold | GroupTold) -> str:
    """The agent, and what it did where that says more: a task type, and no kind of topology."""
    agent = [one.agent] if one.agent else []
    says_more = one.workflow and one.workflow not in (one.agent, *TOPOLOGY_KINDS)
    return " ".join([*agent, *([f"[{one.workflow}]"] if says_more else [])])


def _key(edge: RunEdgeTold) -> str:
    return f"  as {edge.group_key!r}" if edge.group_key else ""


def _spent_in_tree(cost: int, overlay: RunOverlay | None, tokens: int, digits: int) -> tuple[str, str, str]:
    own, count = _spent(cost, tokens, digits=digits)
    of_all = 0 if overlay is None or overlay.subtree_cost == cost else overlay.subtree_cost
    return own, _spent(of_all, 0, digits=digits)[0], count


def _spent(cost: int, tokens: int, *, digits: int, zero: bool = False) -> tuple[str, str]:
    return f"${dollars(cost, digits=digits)}" if cost or zero else "", f"{tokens:,}" if tokens or zero else ""


def _counts(by_status: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {status}" for status, count in sorted(by_status.items()))


def _status(run: RunTold | None) -> str:
    return "" if run is None or run.status is None else run.status


def _at(one: Drawn) -> Instant | None:
    text = one.first_at if isinstance(one, GroupTold) else one.at
    return None if text is None else parse_instant(text)


def _after(first: Instant | None, at: Instant | None) -> str:
    return "-" if first is None or at is None else duration_cell((at - first) / 1_000)


def longest_id(*, narrow: int = _LONG_ID) -> int:
    """So many characters of an id have room, `narrow` where little has; longer ones are made short."""
    room = line_width()
    return UNBOUND if room >= _ROOMY else _LONG_ID if room >= _WIDE else narrow
