"""The catalogue: nothing is measured that is not in it, and its names and labels are those agreed on."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from house.project_files import ROOT, modules, name_of, parsed

from relayna.consumer.dead_letters import DeadLetterRecorder
from relayna.consumer.status_hub import StatusHub
from relayna.observability.metrics import LABELS, METRICS

AGREED = [
    "relayna_records_total{source,outcome}",
    "relayna_records_dropped_total{reason}",
    "relayna_record_buffer_events",
    "relayna_spool_bytes",
    "relayna_append_duration_seconds",
    "relayna_attempts_total{queue,outcome}",
    "relayna_attempt_duration_seconds",
    "relayna_queue_wait_seconds",
    "relayna_attempts_in_progress",
    "relayna_dead_letters_total{queue,reason}",
    "relayna_replays_total",
    "relayna_graph_build_duration_seconds{topology}",
    "relayna_graph_nodes",
    "relayna_graphs_total{completeness}",
    "relayna_sse_clients",
    "relayna_clock_skew_seconds",
    "relayna_store_up",
    "relayna_missing_inbound_edges_total",
    "relayna_emission_failures_total",
]
"""What dashboards and alerts elsewhere may rely on; a metric may have further labels."""

KINDS = {"increment": "counter", "observe": "histogram", "set": "gauge", "watch": "gauge"}
BY_NAME = {metric.name: metric for metric in METRICS}


def reports() -> Iterator[tuple[str, str, str, set[str]]]:
    """Every place of the package that measures something: where, how, under which name, with which labels."""
    for module in modules():
        for node in ast.walk(parsed(module)):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
                continue
            if node.func.attr not in KINDS:
                continue
            labels = {keyword.arg or "" for keyword in node.keywords} - {"exemplar", "by"}
            where = f"{name_of(module)}:{node.lineno}"
            for name in names_in(node.args[0], prefixed=node.func.attr == "set"):
                yield where, node.func.attr, name, labels


def names_in(node: ast.expr, *, prefixed: bool) -> list[str]:
    """The names that an argument may be; `set` is a method of much else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value] if not prefixed or node.value.startswith("relayna_") else []
    if isinstance(node, ast.JoinedStr) and ast.unparse(node).startswith("f'relayna_"):
        pattern = ast.unparse(node)[2:-1].replace("{self.counted_as}", "(?:statuses|dead_letters)")
        pattern = pattern.replace("{what}", "(?:unrecorded|malformed|failed)")
        return [name for name in BY_NAME if re.fullmatch(pattern, name)]
    return []


def test_what_is_agreed_on_is_there() -> None:
    for name, labels in (re.fullmatch(r"(\w+)(?:\{(.*)\})?", told).groups() for told in AGREED):  # type: ignore[union-attr]
        assert set((labels or "").split(",")) - {""} <= set(BY_NAME[name].labels), name


def test_names_are_named_once_and_labels_are_of_the_allowed_ones() -> None:
    assert len(BY_NAME) == len(METRICS)
    for metric in METRICS:
        assert set(metric.labels) <= LABELS, metric.name
        assert metric.name.endswith("_total") == (metric.kind == "counter"), metric.name
        assert bool(metric.buckets) == (metric.kind == "histogram"), metric.name
        assert list(metric.buckets) == sorted(set(metric.buckets)), metric.name
        assert all(len(values) == len(metric.labels) for values in metric.begins), metric.name


def test_everything_that_is_measured_is_in_it_with_these_labels() -> None:
    wrong = [
        (where, name)
        for where, how, name, labels in reports()
        if name not in BY_NAME or BY_NAME[name].kind != KINDS[how] or set(BY_NAME[name].labels) != labels
    ]
    assert wrong == []


def test_everything_in_it_is_measured_somewhere() -> None:
    measured = {name for _, _, name, _ in reports()}
    # Told of by the page that is live, and by the measures themselves.
    assert BY_NAME.keys() - measured <= {"relayna_sse_clients", "relayna_measures_refused_total"}


def test_consumers_of_facts_are_counted_as_it_says() -> None:
    assert {StatusHub.counted_as, DeadLetterRecorder.counted_as} == {"statuses", "dead_letters"}


def page_rows() -> dict[str, tuple[str, str]]:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(relayna_\w+)` \| (\w+) \| ([^|]*) \|", page, re.MULTILINE)
    assert len(rows) == len({name for name, _, _ in rows})
    return {name: (kind, labels.strip()) for name, kind, labels in rows}


def test_the_page_tells_of_each_and_of_no_other() -> None:
    assert page_rows().keys() == {*BY_NAME, "relayna_build_info"}


@pytest.mark.parametrize("name", BY_NAME)
def test_the_page_knows_its_kind_and_labels(name: str) -> None:
    metric = BY_NAME[name]
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    assert page_rows()[name] == (metric.kind, labels)
