"""How the parts of a graph are said in a few words, for drawings and terminals alike.

Owns the words: states, durations, relative times, what is worth saying of a node. Draws nothing.
What it returns may hold any text of the user's: whoever shows it makes it safe.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from relayna.instants import Instant
from relayna.observability.run_tree import Fold
from relayna.projections.graph import ExecutionGraph, ExecutionGraphEdge, ExecutionGraphNode

__all__ = [
    "anomalies", "collapsed_words", "duration_words", "evidence_words", "exception_words", "fold_words",
    "hidden_words", "node_details", "node_name", "node_state", "reasons", "relative_time", "remarks", "state_words",
    "took",
]  # fmt: skip

_NAMES: Final = {
    "status_event": "status ",
    "dlq_record": "dead letter: ",
    "workflow_message": "message to ",
    "aggregation_child": "child ",
    "resource_sample": "sample ",
    "opaque_event": "unknown record ",
}
_PLURALS: Final = {"aggregation_child": "children", "workflow_message": "messages"}
_NAMED_IN_A_FOLD: Final = 3
_REMARKS_SHOWN: Final = 20


def duration_words(milliseconds: float) -> str:
    """A length of time as people say it.

    >>> [duration_words(one) for one in (12, 1204, 184_000, 7_500_000)]
    ['12 ms', '1.204 s', '3 min 04 s', '2 h 05 min']
    """
    whole = round(milliseconds)
    seconds = whole // 1000
    if whole < 1000:
        return f"{whole} ms"
    if seconds < 60:
        return f"{whole / 1000:.3f}".rstrip("0").rstrip(".") + " s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02} s"
    hours = seconds // 3600
    return f"{hours} h {seconds % 3600 // 60:02} min" if hours < 48 else f"{hours // 24} d {hours % 24:02} h"


def relative_time(instant: Instant, start: Instant) -> str:
    """How long after the start: to the millisecond for the first quarter of an hour, then in larger units.

    >>> relative_time(Instant(1_012_000), Instant(1_000_000)), relative_time(Instant(0), Instant(4_000))
    ('+0.012 s', '-0.004 s')
    """
    sign, micros = ("-", start - instant) if instant < start else ("+", instant - start)
    milliseconds = (micros + 500) // 1000
    if milliseconds < 1_000_000:
        return f"{sign}{milliseconds // 1000}.{milliseconds % 1000:03} s"
    return f"{sign}{duration_words(milliseconds)}"


def node_name(node: ExecutionGraphNode, *, beside_its_task: bool = False) -> str:
    """What a node is; beside its task, an attempt need not repeat the task's id."""
    label = node.label
    if beside_its_task and node.kind == "task_attempt":
        label = label.removeprefix(f"{node.task_id} ")
    return f"{_NAMES.get(node.kind, '')}{label}"


def node_state(node: ExecutionGraphNode) -> str:
    """The state in one word, `unknown` when nothing tells it."""
    state = node.annotations.get("state")
    if isinstance(state, str):
        return state
    return "dead_lettered" if node.kind == "dlq_record" else "unknown"


def state_words(node: ExecutionGraphNode) -> str:
    """The state as people read it: a worker that ends gives back what it has no time for, and abandons nothing."""
    return "given back" if node.annotations.get("outcome") == "released" else node_state(node)


def took(node: ExecutionGraphNode) -> str | None:
    """How long an attempt took."""
    return _duration(node.annotations, "duration_ms")


def node_details(node: ExecutionGraphNode) -> list[str]:
    """What else is worth knowing of a node, each part short, the most telling first."""
    notes = node.annotations
    delay, wait = _duration(notes, "delay_ms"), _duration(notes, "queue_wait_ms")
    reason = notes.get("reason") if node.kind == "retry" else None
    replayed = node.kind == "dlq_record" and notes.get("state") == "replayed"
    parts = [
        collapsed_words(node),
        notes.get("message") if node.kind == "status_event" else None,
        *anomalies(node),
        None if notes.get("exception_message") else notes.get("exception_type"),
        delay and f"after {delay}",
        reason,
        "replayed" if replayed else None,
        notes.get("task_type") and f"type {notes['task_type']}",
        "report taken in" if notes.get("role") == "aggregation" else None,
        _place(node),
        notes.get("consumer_name") and f"by {notes['consumer_name']}",
        wait and f"waited {wait}",
    ]
    return [str(part) for part in parts if part]


def _place(node: ExecutionGraphNode) -> str | None:
    """The queue that a delivery came from, or that a retry or dead letter lies in."""
    queue = node.annotations.get("queue_name")
    if queue and node.kind in ("retry", "dlq_record"):
        return f"in {queue}"
    queue = queue or node.annotations.get("source_queue_name")
    return f"from {queue}" if queue else None


def exception_words(node: ExecutionGraphNode) -> str | None:
    """The exception of a failed attempt with its message, which may have many lines."""
    message = node.annotations.get("exception_message")
    return f"{node.annotations.get('exception_type') or 'exception'}: {message}" if message else None


def evidence_words(edge: ExecutionGraphEdge | None) -> str | None:
    """One word when the place of a node is not known from recorded ids; `remarks` tell by which rules."""
    return "inferred" if edge is not None and _is_inferred(edge) else None


def fold_words(fold: Fold) -> str:
    """How many siblings, of which state, and the first of their names."""
    named = ", ".join(node.label for node in fold.nodes[:_NAMED_IN_A_FOLD])
    after = f", {fold.after_failures} of them after a failed attempt" if fold.after_failures else ""
    return f"{len(fold.nodes):,} {_PLURALS.get(fold.kind, 'siblings')} {fold.state}{after} ({named}, …)"


def collapsed_words(node: ExecutionGraphNode) -> str | None:
    """For how many alike a node stands, when others were folded into it."""
    count = _mapping(node.annotations.get("collapsed")).get("count")
    return f"stands for {count:,} alike" if isinstance(count, int) else None


def hidden_words(graph: ExecutionGraph) -> str | None:
    """How much a view or a fold leaves out of what the graph holds."""
    hidden = graph.annotations.get("hidden_nodes")
    if not isinstance(hidden, int) or not hidden:
        return None
    view = graph.annotations.get("view")
    shown = "folded" if view is None else f"view {view}"
    return f"{shown}: {hidden:,} more {'node is' if hidden == 1 else 'nodes are'} not shown"


def anomalies(node: ExecutionGraphNode) -> list[str]:
    """What is odd about how the node's message was delivered."""
    return _texts(node.annotations.get("anomalies"))


def reasons(graph: ExecutionGraph) -> list[str]:
    """Why the graph is not known to be complete."""
    return _texts(graph.annotations.get("completeness"))


def remarks(graph: ExecutionGraph) -> dict[str, list[str]]:
    """What a reader must not miss, by heading: anomalies, what is missing, inferred, doubtful or cut."""
    notes = graph.annotations
    odd = [f"{', '.join(anomalies(node))}: {node_name(node)}" for node in graph.nodes if anomalies(node)]
    rules = Counter(str(edge.annotations.get("rule")) for edge in graph.edges if _is_inferred(edge))
    cut = notes.get("truncated")
    sections = {
        "Anomalies": odd,
        "Missing": [_record_words(gap, "reason") for gap in _items(notes.get("gaps"))],
        "Inferred": [
            f"{count:,} of {len(graph.edges):,} edges by {rule}" for rule, count in rules.most_common()
        ],
        "Warnings": [_record_words(warning, "code") for warning in _items(notes.get("warnings"))],
        "Cut": [
            _record_words({"reason": name, **_mapping(why)}, "reason") for name, why in _mapping(cut).items()
        ]
        or (["more is known than this graph holds"] if cut else []),
        "Left out": [words for words in [hidden_words(graph)] if words],
    }
    return {heading: _first(lines) for heading, lines in sections.items() if lines}


def _is_inferred(edge: ExecutionGraphEdge) -> bool:
    return edge.annotations.get("evidence") == "inferred"


def _first(lines: list[str]) -> list[str]:
    more = len(lines) - _REMARKS_SHOWN
    return lines if more <= 0 else [*lines[:_REMARKS_SHOWN], f"and {more:,} more"]


def _record_words(record: object, name: str) -> str:
    fields = dict(_mapping(record))
    if not fields:
        return str(record)
    head, detail = fields.pop(name, name), fields.pop("detail", None)
    rest = ", ".join(f"{key} {value}" for key, value in fields.items())
    told = f"{detail} ({rest})" if detail and rest else detail or rest
    return f"{head}: {told}" if told else str(head)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _items(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []


def _texts(value: object) -> list[str]:
    """A list of texts, whatever a record made of it."""
    if isinstance(value, str):
        return [value]
    return [str(item) for item in value] if isinstance(value, Iterable) else []


def _duration(notes: Mapping[str, object], name: str) -> str | None:
    value = notes.get(name)
    return duration_words(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
