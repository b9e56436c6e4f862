"""The run as a list to be read from top to bottom, in the manner of the terminal's.

Owns how lines become nested items that fold without any script, and which are listed when there are too many.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct, field

from relayna.instants import Instant, parse_instant
from relayna.observability.incident.markup import EMPTY, Markup, element, joined, text
from relayna.observability.run_tree import Fold, TreeLine, failure_paths, run_tree
from relayna.observability.terminal_page import SIGNS
from relayna.observability.wording import (
    evidence_words,
    exception_words,
    fold_words,
    node_details,
    node_name,
    node_state,
    relative_time,
    state_words,
    took,
)
from relayna.projections.graph import ExecutionGraph, ExecutionGraphEdge, ExecutionGraphNode
from relayna.projections.hangings import hangings

__all__ = ["LINE_LIMIT", "Listed", "listed_lines", "run_list"]

LINE_LIMIT: Final = 2_000
_NAMED: Final = 200
_DEEPEST: Final = 12
_SAYS_ITS_STATE: Final = ("task", "aggregation_child", "task_attempt", "stage_attempt", "workflow_message")
_HAS_A_SIGN: Final = (*_SAYS_ITS_STATE, "dlq_record")


class _Item(Struct):
    """A line whose deeper lines are still being collected."""

    depth: int
    row: Markup
    anchor: str | None
    folded: bool = False
    inner: list[Markup] = field(default_factory=list)


class Listed(Struct, frozen=True, kw_only=True):
    """The lines of a list, and where in the page each node is."""

    lines: list[TreeLine]
    left_out: int
    anchors: dict[str, str]
    """By node; those that are in no line have none."""


def listed_lines(graph: ExecutionGraph) -> Listed:
    """All lines, or `LINE_LIMIT` of them: those that failed, and the way to them, before the others."""
    lines, left_out = _chosen(list(run_tree(graph)), graph)
    contents = [line.content for line in lines]
    nodes = [node for one in contents for node in (one.nodes[:_NAMED] if isinstance(one, Fold) else (one,))]
    anchors = {node.id: f"n{number}" for number, node in enumerate(nodes)}
    return Listed(lines=lines, left_out=left_out, anchors=anchors)


def run_list(graph: ExecutionGraph, listed: Listed) -> Markup:
    """Nested lists; each node's item has its anchor."""
    rows = _Rows(graph, listed.anchors)
    top: list[Markup] = []
    open_items: list[_Item] = []

    def close(down_to: int) -> None:
        while open_items and open_items[-1].depth >= down_to:
            done = _closed(open_items.pop())
            (open_items[-1].inner if open_items else top).append(done)

    for line in listed.lines:
        close(len(line.guides))
        open_items.append(rows.item(line))
    close(0)
    cut = f"{listed.left_out:,} more lines are not listed; what failed, and the way to it, came first."
    more = element("p", text(cut), class_="cut") if listed.left_out else EMPTY
    return joined((element("ol", *top, class_="run"), more))


def _chosen(lines: list[TreeLine], graph: ExecutionGraph) -> tuple[list[TreeLine], int]:
    if len(lines) <= LINE_LIMIT:
        return lines, 0
    wanted = set(failure_paths(graph))
    trouble = [not isinstance(line.content, Fold) and line.content.id in wanted for line in lines]
    room = LINE_LIMIT - min(LINE_LIMIT, sum(trouble))
    chosen: list[TreeLine] = []
    for line, is_trouble in zip(lines, trouble, strict=True):
        if len(chosen) < LINE_LIMIT and (is_trouble or room > 0):
            room -= not is_trouble
            chosen.append(line)
    return chosen, len(lines) - len(chosen)


def _closed(item: _Item) -> Markup:
    if not item.inner:
        return element("li", element("div", item.row, class_=_row_class(item.depth)), id=item.anchor)
    summary = element("summary", item.row, class_=_row_class(item.depth))
    inner = element("ol", *item.inner)
    details = element("details", summary, inner, open=None if item.folded else "open")
    return element("li", details, id=item.anchor)


def _row_class(depth: int) -> str:
    return f"row depth-{min(depth, _DEEPEST)}"


class _Rows:
    """What is said of a line."""

    def __init__(self, graph: ExecutionGraph, anchors: Mapping[str, str]) -> None:
        self._anchors = anchors
        self._start = parse_instant(graph.summary.started_at)
        self._above = {node_id: hanging.edge for node_id, hanging in hangings(graph).items()}

    def item(self, line: TreeLine) -> _Item:
        """The line, with nothing below it yet but what was folded into it."""
        depth = len(line.guides)
        if isinstance(line.content, Fold):
            named = list(self._named(line.content, depth))
            return _Item(depth, self._fold_row(line.content), None, folded=True, inner=named)
        node = line.content
        row = joined((_time(node, self._start), _what(node, self._above.get(node.id))))
        return _Item(depth, row, self._anchors.get(node.id))

    def _fold_row(self, fold: Fold) -> Markup:
        words = element("span", text(fold_words(fold)), class_="name")
        line = joined((_sign(fold.state), words), " ")
        return joined((_EMPTY_TIME, element("span", line, class_="line")))

    def _named(self, fold: Fold, depth: int) -> Iterator[Markup]:
        for node in fold.nodes[:_NAMED]:
            name = element("span", text(node_name(node)), class_="name")
            row = joined((_EMPTY_TIME, element("span", name, class_="line")))
            yield element(
                "li", element("div", row, class_=_row_class(depth + 1)), id=self._anchors.get(node.id)
            )
        if (more := len(fold.nodes) - _NAMED) > 0:
            row = joined((_EMPTY_TIME, element("span", text(f"and {more:,} more"), class_="line")))
            yield element("li", element("div", row, class_=_row_class(depth + 1)))


_EMPTY_TIME: Final = element("span", class_="time")


def _time(node: ExecutionGraphNode, start: Instant | None) -> Markup:
    instant = parse_instant(node.timestamp)
    if instant is None or start is None:
        return _EMPTY_TIME
    return element("span", text(relative_time(instant, start)), class_="time", title=node.timestamp)


def _what(node: ExecutionGraphNode, edge: ExecutionGraphEdge | None) -> Markup:
    state, length = node_state(node), took(node)
    shown_state = "retrying" if node.kind == "retry" else state if node.kind in _HAS_A_SIGN else None
    says_state = node.kind in _SAYS_ITS_STATE
    name = element("span", text(node_name(node, beside_its_task=True)), class_="name")
    told = [*([f"took {length}"] if length else []), *node_details(node)]
    evidence, exception = evidence_words(edge), exception_words(node)
    parts = [
        _sign(shown_state),
        element("b", name) if says_state else name,
        element("span", text(state_words(node)), class_=f"state state-{_known(state)}")
        if says_state
        else EMPTY,
        element("span", text(", ".join(told)), class_="told") if told else EMPTY,
        element("span", text(f"({evidence})"), class_="evidence") if evidence else EMPTY,
        element("span", text(exception), class_="exception") if exception else EMPTY,
    ]
    return element("span", joined((part for part in parts if part), " "), class_="line")


def _sign(state: str | None) -> Markup:
    return element("span", text(SIGNS.get(state or "", "·")), class_=f"sign state-{_known(state)}")


def _known(state: str | None) -> str:
    return state if state in SIGNS else "none"
