"""An execution graph on a terminal: as a tree to be read, or as a plain table.

Owns what is printed and in which order. The caller's console decides on width, colour and where it
goes; `terminal_page.py` makes any text safe to print.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from relayna.instants import Instant, parse_instant
from relayna.observability.run_tree import Fold, TreeLine, run_tree
from relayna.observability.terminal_page import Segment, TerminalPage, one_line
from relayna.observability.wording import (
    duration_words,
    evidence_words,
    exception_words,
    fold_words,
    node_details,
    node_name,
    node_state,
    reasons,
    relative_time,
    remarks,
    state_words,
    took,
)
from relayna.projections.graph import ExecutionGraph, ExecutionGraphEdge, ExecutionGraphNode
from relayna.projections.hangings import hangings
from relayna.topologies.mermaid_labels import visible_text

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["print_graph_table", "print_graph_tree"]

_TIME_WIDTH: Final = 13
_MESSAGE_LIMIT: Final = 600
_COLUMNS: Final = "{:<13} {:<13} {:<12} {}"
_SAYS_ITS_STATE: Final = ("task", "aggregation_child", "task_attempt", "stage_attempt", "workflow_message")
_HAS_A_SIGN: Final = (*_SAYS_ITS_STATE, "dlq_record")


def print_graph_tree(graph: ExecutionGraph, console: Console) -> None:
    """Print a header, the run as a tree from top to bottom, then what is odd or missing.

    Siblings that went well are folded into one line; what failed is always shown. Times are relative
    to the start. Raises `ConfigurationError` without `rich`.
    """
    page = TerminalPage(console)
    _print_header(graph, page)
    page.line()
    start = _start(graph)
    above = {node_id: hanging.edge for node_id, hanging in hangings(graph).items()}
    for line in run_tree(graph):
        _print_tree_line(line, start, above, page)
    _print_remarks(graph, page)


def print_graph_table(graph: ExecutionGraph, console: Console) -> None:
    """Print the same header, one row for each node in the order of the graph, then what is odd or missing.

    Raises `ConfigurationError` without `rich`.
    """
    page = TerminalPage(console)
    _print_header(graph, page)
    page.line()
    start = _start(graph)
    above = {node_id: hanging.edge for node_id, hanging in hangings(graph).items()}
    page.line((_COLUMNS.format("Time", "State", "Took", "What"), "bold"))
    for node in graph.nodes:
        _print_row(node, start, above.get(node.id), page)
    _print_remarks(graph, page)


def _print_header(graph: ExecutionGraph, page: TerminalPage) -> None:
    summary = graph.summary
    state = next((node_state(node) for node in graph.nodes if node.kind == "task"), None)
    sign, style = page.sign(state)
    waits = state == "queued" and summary.started_at is None
    none = "none yet: it is queued, and no worker has taken it" if waits else "none was published"
    status = none if summary.status is None else one_line(summary.status)
    length = "" if summary.duration_ms is None else f", took {duration_words(summary.duration_ms)}"
    why = ", ".join(map(one_line, reasons(graph)))
    facts: list[tuple[str, list[Segment]]] = [
        ("Task", [(one_line(graph.task_id), "bold")]),
        ("Topology", [(one_line(graph.topology_kind or "unknown"), "")]),
        ("Status", [(f"{sign} {status}", style), (length, "")]),
        ("Started", [(summary.started_at or ("not yet" if waits else "unknown"), "")]),
        (
            "Evidence",
            [(f"{summary.graph_completeness}{': ' if why else ''}{why}", "" if not why else "yellow")],
        ),
    ]
    for name, segments in facts:
        page.line(*segments, first=(f"{name:<10}", "dim"), rest=" " * 10)


def _print_tree_line(
    line: TreeLine, start: Instant | None, above: dict[str, ExecutionGraphEdge], page: TerminalPage
) -> None:
    outer = "".join("│  " if more else "   " for more in line.guides[:-1])
    first = rest = ""
    if line.guides:
        first, rest = ("├─ ", "│  ") if line.guides[-1] else ("└─ ", "   ")
    blank = f"{' ' * _TIME_WIDTH}{outer}{rest}{'│ ' if line.has_below else '  '}"
    if isinstance(line.content, Fold):
        sign, style = page.sign(line.content.state)
        words = visible_text(fold_words(line.content), limit=_MESSAGE_LIMIT)
        page.line(
            (f"{sign} ", style),
            (words, style),
            first=(f"{' ' * _TIME_WIDTH}{outer}{first}", "dim"),
            rest=blank,
        )
        return
    node = line.content
    time = _time(node, start).rjust(_TIME_WIDTH - 1)
    page.line(*_segments(node, above.get(node.id), page), first=(f"{time} {outer}{first}", "dim"), rest=blank)
    _print_exception(node, blank, page)


def _segments(node: ExecutionGraphNode, edge: ExecutionGraphEdge | None, page: TerminalPage) -> list[Segment]:
    state = node_state(node)
    sign, style = page.sign(
        "retrying" if node.kind == "retry" else state if node.kind in _HAS_A_SIGN else None
    )
    says_state = node.kind in _SAYS_ITS_STATE
    name_style = "bold" if says_state else style
    segments = [(f"{sign} ", style), (one_line(node_name(node, beside_its_task=True)), name_style)]
    if says_state:
        segments += [("  ", ""), (one_line(state_words(node)), style)]
    length = took(node)
    details = [*([f"took {length}"] if length else []), *node_details(node)]
    segments += [(f", {one_line(detail)}", "") for detail in details]
    evidence = evidence_words(edge)
    return [*segments, (f" ({one_line(evidence)})", "dim")] if evidence else segments


def _print_exception(node: ExecutionGraphNode, blank: str, page: TerminalPage) -> None:
    words = exception_words(node)
    for part in visible_text(words, limit=_MESSAGE_LIMIT).split("\n") if words else ():
        page.line((part, "red"), first=(blank, "dim"), rest=f"{blank}  ")


def _print_remarks(graph: ExecutionGraph, page: TerminalPage) -> None:
    for heading, lines in remarks(graph).items():
        page.line()
        page.line((heading, "bold yellow"))
        for text in lines:
            page.line((one_line(text), ""), first=("  ", ""), rest="    ")


def _print_row(
    node: ExecutionGraphNode, start: Instant | None, edge: ExecutionGraphEdge | None, page: TerminalPage
) -> None:
    state = one_line(state_words(node)) if node.kind in _HAS_A_SIGN else ""
    details = [*node_details(node), exception_words(node), evidence_words(edge)]
    told = "".join(f", {one_line(detail)}" for detail in details if detail)
    prefix = _COLUMNS.format(_time(node, start), state, took(node) or "", "")
    style = page.sign(node_state(node))[1] if state else ""
    page.line((one_line(node_name(node)), "bold"), (told, ""), first=(prefix, style), rest=" " * len(prefix))


def _start(graph: ExecutionGraph) -> Instant | None:
    return parse_instant(graph.summary.started_at)


def _time(node: ExecutionGraphNode, start: Instant | None) -> str:
    instant = parse_instant(node.timestamp)
    return "" if instant is None or start is None else relative_time(instant, start)
