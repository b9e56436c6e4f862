"""A session's analysis on a terminal: whole, or one of its parts. Owns what is printed and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from relayna.observability.short_ids import ShortIds
from relayna.observability.terminal_page import Segment, TerminalPage, one_line
from relayna.observability.trace.lineage_tree import LineageLine, lineage_lines
from relayna.projections.trace.breakdown import PhaseTable
from relayna.projections.trace.profile import CriticalPath, ProfileSummary, RunProfile

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["TRACE_VIEWS", "TraceView", "print_trace"]

TraceView: TypeAlias = Literal["rich", "critical-path", "cp", "end-to-end", "e2e", "queuing", "lineage"]

_NAMES: Final = 10
"""Columns of the facts' names."""
_SHOWN: Final = 20
"""Rows of a part, where all parts are shown."""
_WIDE: Final = 120
_DEEPEST: Final = 12
"""Levels of a tree; below, they stand beside each other."""
_ON_PATH: Final = "bold"
_WAITED: Final = "yellow"


def print_trace(summary: ProfileSummary, console: Console, view: TraceView = "rich") -> None:
    """Print the analysis, or the part of it that a view is. Raises `ConfigurationError` without `rich`."""
    page = TerminalPage(console)
    _VIEWS[view](summary, page)


def _rich(summary: ProfileSummary, page: TerminalPage) -> None:
    for name, text, style in _header(summary):
        page.line((text, style), first=(f"{name:<{_NAMES}}", "dim"), rest=" " * _NAMES)
    page.line()
    _print_path(summary, page, most=_SHOWN)
    page.line()
    _print_queuing(summary, page, most=_SHOWN)
    _print_tables(summary.e2e_breakdown.hardware_summary, summary.e2e_breakdown.network_summary, page)
    page.line()
    _print_lineage(summary, page, most=_SHOWN)


def _critical_path(summary: ProfileSummary, page: TerminalPage) -> None:
    _print_path(summary, page)
    if (path := summary.critical_path) is not None:
        _print_tables(path.hardware_summary, path.network_summary, page, of="on the path")
        page.line()
        page.line(("Network on the path, overlaps once: ", "dim"), (_seconds(path.total_network_seconds), ""))


def _end_to_end(summary: ProfileSummary, page: TerminalPage) -> None:
    whole = summary.e2e_breakdown
    page.line((_seconds(whole.workflow_duration_seconds), "bold"), first=(f"{'Wall':<{_NAMES}}", "dim"))
    page.line((_seconds(whole.total_network_seconds), ""), first=(f"{'Network':<{_NAMES}}", "dim"))
    _print_tables(whole.hardware_summary, whole.network_summary, page)


def _header(summary: ProfileSummary) -> Iterator[tuple[str, str, str]]:
    whole, path = summary.e2e_breakdown, summary.critical_path
    yield "Session", one_line(summary.workflow_id), "bold"
    yield "Wall", _seconds(whole.workflow_duration_seconds), "bold"
    yield "Network", _seconds(whole.total_network_seconds), ""
    counts = (
        (len(summary.data_ids), "run", "runs"),
        (summary.event_count, "span", "spans"),
        (len(summary.assets), "asset", "assets"),
        (len(summary.lineage), "source", "sources"),
    )
    yield "Counts", ", ".join(f"{count:,} {one if count == 1 else many}" for count, one, many in counts), ""
    if path is not None:
        length = f"{len(path.path):,} of the runs, {_seconds(path.critical_path_seconds)}"
        wall = f", {_seconds(path.critical_path_wall_seconds)} from its start to its end"
        yield "Path", f"{length}{wall}{'; its sources run in a circle' if path.cycle else ''}", ""


def _print_path(summary: ProfileSummary, page: TerminalPage, *, most: int | None = None) -> None:
    page.line(("Critical path", "bold"))
    path = summary.critical_path
    if path is None:
        page.line(("there is none: no run is recorded", "dim"))
        return
    for depth, segments in _steps(path, _ids_of(summary, page), most):
        level = min(depth, _DEEPEST)
        page.line(*segments, first=("   " * (level - 1) + "└─ " if level else "", "dim"), rest="   " * level)
    total = (
        f"{_seconds(path.critical_path_seconds)}, {_seconds(path.critical_path_wall_seconds)} by the clock"
    )
    page.line(("in all ", "dim"), (total, ""))


def _steps(path: CriticalPath, ids: ShortIds, most: int | None) -> Iterator[tuple[int, list[Segment]]]:
    told = path.active_wait_breakdown
    steps = list(zip(told.data_id, told.active_seconds, told.wait_seconds, strict=True))
    shown = steps if most is None else steps[-most:]
    if len(shown) < len(steps):
        yield 0, [(f"{len(steps) - len(shown):,} runs before (-f critical-path shows all)", "dim")]
    if path.cycle and len(shown) == len(steps):
        yield 0, [("its sources run in a circle: it begins where it met itself", _WAITED)]
    for depth, (data_id, active, wait) in enumerate(shown):
        waited: list[Segment] = [(f"  waited {_seconds(wait)}", _WAITED)] if wait else []
        yield depth, [(_short(data_id, ids), _ON_PATH), (f"  worked {_seconds(active)}", ""), *waited]


def _print_queuing(summary: ProfileSummary, page: TerminalPage, *, most: int | None = None) -> None:
    page.line(("Queuing", "bold"))
    runs = sorted(summary.per_data_id, key=lambda run: (-run.queuing_delay_seconds, -run.duration_seconds))
    if not runs:
        page.line(("no run is recorded", "dim"))
        return
    retried = any(run.retry_seconds for run in runs)
    heads = ("Run", "Waited for", "Wait s", "Took s", *(("Retries s",) if retried else ()))
    ids = _ids_of(summary, page)
    page.table(heads, (_queued(run, ids, retried=retried) for run in runs[:most]), texts=2)
    _say_more(len(runs), most, "queuing", page)


def _queued(run: RunProfile, ids: ShortIds, *, retried: bool) -> list[Segment]:
    blocker = run.blocking_parent_data_id
    return [
        (_short(run.data_id, ids), ""),
        ("-" if blocker is None else _short(blocker, ids), ""),
        (f"{run.queuing_delay_seconds:.3f}", _WAITED if run.queuing_delay_seconds else ""),
        (f"{run.duration_seconds:.3f}", ""),
        *([(f"{run.retry_seconds:.3f}", _WAITED if run.retry_seconds else "")] if retried else []),
    ]


def _print_tables(compute: PhaseTable, network: PhaseTable, page: TerminalPage, *, of: str = "") -> None:
    for title, table in (("Compute", compute), ("Network", network)):
        page.line()
        page.line((f"{title} {of}".rstrip(), "bold"))
        if not table.event_type:
            page.line(("no such span is recorded", "dim"))
            continue
        page.table(("Span", "Count", "Total s", "Average s", "Least s", "Most s"), _phases(table))


def _phases(table: PhaseTable) -> Iterator[list[Segment]]:
    columns = (
        table.event_type, table.count, table.total_seconds, table.avg_seconds, table.min_seconds, table.max_seconds,
    )  # fmt: skip
    rows = sorted(zip(*columns, strict=True), key=lambda row: -row[2])
    for name, count, *lengths in rows:
        yield [(one_line(name), ""), (f"{count:,}", ""), *((f"{one:.3f}", "") for one in lengths)]


def _print_lineage(summary: ProfileSummary, page: TerminalPage, *, most: int | None = None) -> None:
    path = set(summary.critical_path.path) if summary.critical_path else set()
    page.line(("Lineage", "bold"), ("  ● is on the critical path" if path else "", "dim"))
    known = set(summary.data_ids)
    lines = list(lineage_lines(summary))
    if not lines:
        page.line(("nothing is recorded", "dim"))
    ids = _ids_of(summary, page)
    for line in lines[:most]:
        page.line(*_node(line, path, known, ids), first=(_guides(line), "dim"), rest="  ")
    _say_more(len(lines), most, "lineage", page)


def _node(line: LineageLine, path: set[str], known: set[str], ids: ShortIds) -> list[Segment]:
    on_path = line.data_id in path
    said = {"above": "  (above)", "cycle": "  (a cycle: above, and its own source)", "": ""}[line.mark]
    stranger = "" if line.data_id in known or line.mark else "  (not recorded here)"
    return [
        ("● " if on_path else "", "cyan"),
        (_short(line.data_id, ids), _ON_PATH if on_path else ""),
        (said, _WAITED if line.mark == "cycle" else "dim"),
        (stranger, "dim"),
    ]


def _guides(line: LineageLine) -> str:
    if not line.depth:
        return ""
    outer = "".join("│  " if more else "   " for more in line.guides)
    return f"{outer}{'└─ ' if line.ends else '├─ '}"


def _say_more(count: int, most: int | None, view: str, page: TerminalPage) -> None:
    if most is not None and count > most:
        page.line((f"and {count - most:,} more (-f {view} shows all)", "dim"))


def _ids_of(summary: ProfileSummary, page: TerminalPage) -> ShortIds:
    """Short for all that it names, where there is little room."""
    if page.width >= _WIDE:
        return ShortIds(())
    sources = (end for row in summary.lineage for end in (row.data_id, row.source_data_id))
    return ShortIds([*summary.data_ids, *sources])


def _short(data_id: str, ids: ShortIds) -> str:
    return one_line(ids.of(data_id))


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f} s"


_VIEWS: Final[dict[TraceView, Callable[[ProfileSummary, TerminalPage], None]]] = {
    "rich": _rich,
    "critical-path": _critical_path,
    "cp": _critical_path,
    "end-to-end": _end_to_end,
    "e2e": _end_to_end,
    "queuing": _print_queuing,
    "lineage": _print_lineage,
}

TRACE_VIEWS: Final = tuple(_VIEWS)
