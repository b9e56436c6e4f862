"""How commands write lineage: as a tree in which each run stands once, as a table and as JSON.

Owns their looks, and the service that they ask. Names come from messages: they are written without control
characters.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Final, Literal, TypeAlias, TypeVar

import click

from relayna.cli.read_models import log_and_models
from relayna.cli.tables import duration_cell, printed, write_table
from relayna.instants import Instant, parse_instant
from relayna.observability.lineage_gathering import Recorded
from relayna.observability.lineage_service import LineageService
from relayna.observability.lineage_told import RunEdgeTold, RunTold
from relayna.observability.read_models import ReadModelProgress
from relayna.observability.run_records.known_runs import KnownRuns
from relayna.projections.lineage.run_edges import dollars
from relayna.settings import Settings
from relayna.streams import checked_tenant
from relayna.streams.redis.run_records import RedisRunRecords

__all__ = [
    "LINEAGE_FORMATS",
    "LineageFormat",
    "answered",
    "kinds_given",
    "say_missing",
    "write_edges",
    "write_tree",
]

LineageFormat: TypeAlias = Literal["table", "tree", "json"]
LINEAGE_FORMATS: Final = ("table", "tree", "json")

_WIDTH: Final = 80
_LONG_ID: Final = 20
_DEEPEST: Final = 36
"""Columns of guides; below, runs stand beside their parent."""
_HEADS: Final = ("AFTER", "KIND", "FROM", "TO", "STATUS", "COST", "TOKENS")
AnswerT = TypeVar("AnswerT")


async def answered(settings: Settings, ask: Callable[[LineageService], Awaitable[AnswerT]]) -> AnswerT:
    """What a service over the store of these settings answers."""
    log, models = log_and_models(settings)
    tenant, kept = checked_tenant(settings.tenant), settings.retention_seconds
    records = KnownRuns(RedisRunRecords(log), tenant=tenant)
    recorded = Recorded(records, ReadModelProgress(log=log, read_models=models))
    async with log:
        return await ask(LineageService(log=log, tenant=tenant, retention_seconds=kept, recorded=recorded))


def kinds_given(kinds: str | None) -> tuple[str, ...]:
    """The kinds that an option names, separated by commas."""
    return () if kinds is None else tuple(kind.strip() for kind in kinds.split(","))


def say_missing(missing: list[str], *, truncated: bool = False) -> None:
    """On stderr, what the answer lacks."""
    if truncated:
        click.echo("relayna: there is more beyond these hops (--max-hops)", err=True)
    if missing:
        click.echo(f"relayna: some histories are not whole: {', '.join(missing)}", err=True)


def write_edges(edges: Iterable[RunEdgeTold], runs: Mapping[str, RunTold]) -> None:
    """A line for each edge, in order, with how long after the first of all it was."""
    edges = list(edges)
    times = {edge.edge_id: parse_instant(edge.at) for edge in edges if edge.at is not None}
    first = min((time for time in times.values() if time is not None), default=None)
    rows = [
        (
            _after(first, times.get(edge.edge_id)),
            edge.kind,
            "-" if edge.source_run is None else short(edge.source_run),
            short(edge.target_run),
            _status(runs.get(edge.target_run)),
            f"${dollars(edge.cost_attributed)}",
            f"{edge.tokens_attributed:,}",
        )
        for edge in edges
    ]
    write_table(_HEADS, rows, elastic=(1, 2, 3))


def write_tree(
    roots: Iterable[str], edges: Iterable[RunEdgeTold], runs: Mapping[str, RunTold], *, up: bool = False
) -> None:
    """Each root with what leads away from it, or with `up` to it. A run that was drawn before is only named."""
    room = max(_WIDTH, shutil.get_terminal_size((_WIDTH, 24)).columns) if sys.stdout.isatty() else None
    for line in _tree_lines(roots, edges, runs, up=up):
        text = printed(line)
        click.echo(text if room is None or len(text) <= room else f"{text[: room - 1]}…")


def short(run_id: str) -> str:
    """Both ends of an id that is long."""
    return run_id if len(run_id) <= _LONG_ID else f"{run_id[:6]}…{run_id[-6:]}"


def _tree_lines(
    roots: Iterable[str], edges: Iterable[RunEdgeTold], runs: Mapping[str, RunTold], *, up: bool
) -> Iterator[str]:
    leaving: dict[str | None, list[RunEdgeTold]] = {}
    births: dict[str, RunEdgeTold] = {}
    for edge in edges:
        leaving.setdefault(edge.target_run if up else edge.source_run, []).append(edge)
        if edge.is_birth:
            births.setdefault(edge.target_run, edge)
    drawn: set[str] = set()
    for root in roots:
        origin = "" if up or root not in births else f"  ({_origin(births[root])})"
        yield f"{_run(root, runs)}{origin}"
        drawn.add(root)
        stack = _hung(leaving.get(root, []), "")
        while stack:
            edge, guides, ends = stack.pop()
            far = edge.source_run if up else edge.target_run
            is_new = far is not None and far not in drawn
            yield f"{guides}{'└─' if ends else '├─'} {_edge(edge, runs, up=up, is_new=is_new)}"
            if far is not None and is_new:
                drawn.add(far)
                deeper = guides if len(guides) >= _DEEPEST else guides + ("   " if ends else "│  ")
                stack += _hung(leaving.get(far, []), deeper)


def _hung(edges: list[RunEdgeTold], guides: str) -> list[tuple[RunEdgeTold, str, bool]]:
    """As a stack: each with what is drawn before it, and whether it is the last of them."""
    last = len(edges) - 1
    return [(edge, guides, number == last) for number, edge in reversed(list(enumerate(edges)))]


def _edge(edge: RunEdgeTold, runs: Mapping[str, RunTold], *, up: bool, is_new: bool) -> str:
    cost = f"  ${dollars(edge.cost_attributed)}" if edge.cost_attributed else ""
    tokens = f"  {edge.tokens_attributed:,} tokens" if edge.tokens_attributed else ""
    label = f"  {edge.label}" if edge.label else ""
    spent = f"{cost}{tokens}{label}"
    far = edge.source_run if up else edge.target_run
    if edge.source_run == edge.target_run:
        return f"{edge.kind}{spent}"
    if far is None:
        return f"{_origin(edge)}{spent}"
    arrow = "←" if up else "→"
    named = _run(far, runs) if is_new else f"{short(far)}  (above)"
    return f"{edge.kind}{'' if edge.variant is None else f' ({edge.variant})'} {arrow} {named}{spent}"


def _origin(edge: RunEdgeTold) -> str:
    if edge.source_run is None:
        return f"origin: {edge.kind}"
    return f"{edge.kind} from {short(edge.source_run)}"


def _run(run_id: str, runs: Mapping[str, RunTold]) -> str:
    run = runs.get(run_id)
    told = () if run is None else (run.agent, run.status)
    return "  ".join((short(run_id), *(one for one in told if one)))


def _after(first: Instant | None, at: Instant | None) -> str:
    return "-" if first is None or at is None else duration_cell((at - first) / 1_000)


def _status(run: RunTold | None) -> str:
    return "-" if run is None or run.status is None else run.status
