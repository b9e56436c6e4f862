"""What each sink makes of a hostile run: a list of what was executed or forged, empty when nothing was.

Owns how that is seen: the real Mermaid and the real Graphviz are asked, and what is printed, logged or exposed is
read as its readers read it.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import StringIO

from mermaid.real_parser import Parsed
from observability.real_dot import draw
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics_families
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from relayna.observability.dot import execution_graph_dot
from relayna.observability.metrics import METRICS, OPEN_METRICS, TEXT, PrometheusMeasures, expose
from relayna.observability.standing_terminal import print_standing
from relayna.observability.terminal import print_graph_table, print_graph_tree
from relayna.projections.graph import ExecutionGraph
from relayna.projections.standing import standing_of

__all__ = ["dot_complaints", "log_lines", "mermaid_complaints", "metric_complaints", "terminal_complaints"]

_WIDE = 100_000
_ACTED_ON = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Categories of characters that no terminal and no log shows as they are."""


def mermaid_complaints(graph: ExecutionGraph, parsed: Parsed) -> list[str]:
    """The graph's nodes and edges and nothing else, and no element but line breaks."""
    if parsed.error is not None:
        return [f"mermaid: {parsed.error[:200]}"]
    drawn = [node_id for node_id, *_ in parsed.nodes if not node_id.startswith("note")]
    found: list[str] = []
    if drawn != [f"n{number}" for number in range(len(graph.nodes))] or len(parsed.edges) != len(graph.edges):
        found.append("mermaid: other nodes or edges than the graph has")
    if set(parsed.elements) - {"br"}:
        found.append(f"mermaid: {parsed.elements}")
    return found


def dot_complaints(graph: ExecutionGraph) -> list[str]:
    """The same of Graphviz; `draw` refuses elements that do anything."""
    nodes, edges = draw(execution_graph_dot(graph))
    drawn = {title: text for title, text in nodes.items() if not title.startswith("note")}
    expected = {f"n{number}" for number in range(len(graph.nodes))}
    places = {node.id: f"n{number}" for number, node in enumerate(graph.nodes)}
    joined = {f"{places[edge.source]}->{places[edge.target]}" for edge in graph.edges}
    found: list[str] = []
    if drawn.keys() != expected or edges.keys() != joined:
        found.append("dot: other nodes or edges than the graph has")
    found += [f"dot: {text!r}" for text in set(edges.values()) if not text.replace(" ", "").isalpha()]
    return found


def terminal_complaints(graph: ExecutionGraph, benign: ExecutionGraph) -> list[str]:
    """Nothing that a terminal acts on, and no more lines at the margin than a harmless run has."""
    found: list[str] = []
    for printer in (print_graph_tree, print_graph_table):
        text, plain = StringIO(), StringIO()
        printer(graph, Console(file=text, width=_WIDE, force_terminal=False))
        printer(benign, Console(file=plain, width=_WIDE, force_terminal=False))
        found += _acted_on(printer.__name__, text.getvalue())
        if _at_the_margin(text.getvalue()) - _at_the_margin(plain.getvalue()):
            found.append(f"{printer.__name__}: a line is forged")
    out = StringIO()
    print_standing(standing_of(graph), Console(file=out, width=_WIDE, force_terminal=False))
    found += _acted_on("status", out.getvalue())
    if {line[:10].strip() for line in out.getvalue().splitlines()} - _FACTS:
        found.append("status: a line is forged")
    return found


_FACTS = {
    "", "Task", "Status", "Topology", "Started", "Attempts", "Letters", "Children", "Running", "Waits for", "Failure",
    "Evidence",
}  # fmt: skip


def _acted_on(sink: str, text: str) -> list[str]:
    lines = text.split("\n")
    bad = {character for line in lines for character in line if unicodedata.category(character) in _ACTED_ON}
    return [f"{sink}: {sorted(map(ascii, bad))}"] if bad else []


def _at_the_margin(text: str) -> set[str]:
    """First words, but times, of the lines that begin where nothing of a user's may begin."""
    words = {line.split()[0] for line in text.split("\n") if line[:1].strip()}
    return {word for word in words if not re.fullmatch(r"[+-]\d+\.\d{3}", word)}


def metric_complaints(payload: str) -> list[str]:
    """Every label of every counter and gauge, and an exemplar: read back, they are text and nothing more."""
    measures = PrometheusMeasures()
    for metric in METRICS:
        labels = dict.fromkeys(metric.labels, payload)
        match metric.kind:
            case "counter":
                measures.increment(metric.name, **labels)
            case "gauge":
                measures.set(metric.name, 1.0, **labels)
            case _:
                measures.observe(metric.name, 1.0, exemplar=payload, **labels)
    found: list[str] = []
    known = {metric.name.removesuffix("_total") for metric in METRICS} | {
        "relayna_build",
        "relayna_build_info",
    }
    for media_type, families in (
        (TEXT, text_string_to_metric_families),
        (OPEN_METRICS, open_metrics_families),
    ):
        try:
            read = list(families(expose(measures.registry, media_type).decode()))
        except (ValueError, UnicodeError) as error:
            found.append(f"{media_type}: {error}")
            continue
        found += [
            f"{media_type}: {family.name}"
            for family in read
            if family.name.removesuffix("_total") not in known
        ]
        found += [
            f"{media_type}: label {name}"
            for family in read
            for sample in family.samples
            for name in set(sample.labels) - _LABELS
        ]
    return found


_LABELS = {name for metric in METRICS for name in metric.labels} | {"le", "version"}


@contextmanager
def log_lines() -> Iterator[list[str]]:
    """What a program's log holds of relayna's records, as a usual handler writes it; complaints when left."""
    out, records = StringIO(), _Counting()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    logger = logging.getLogger("relayna")
    complaints: list[str] = []
    logger.addHandler(handler)
    logger.addHandler(records)
    propagated, logger.propagate = logger.propagate, False
    try:
        yield complaints
    finally:
        logger.propagate = propagated
        logger.removeHandler(handler)
        logger.removeHandler(records)
    text = out.getvalue()
    complaints += _acted_on("log", text)
    lines = text.split("\n")[:-1]
    if len(lines) != records.count:
        complaints.append(f"log: {records.count} records are {len(lines)} lines")
    complaints += [f"log: {line[:80]!r}" for line in _unlike(lines)]
    assert records.count, "nothing was logged: this proves nothing"


def _unlike(lines: Iterable[str]) -> list[str]:
    return [
        line for line in lines if not line.startswith(("ERROR relayna.", "WARNING relayna.", "INFO relayna."))
    ]


class _Counting(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += 1
