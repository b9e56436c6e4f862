"""What is measured of graphs, and the alarm for attempts that nothing led to."""

from __future__ import annotations

import pytest
from observability.sample_graphs import GraphSketch, failing_run

from relayna.observability.metrics import GraphReports, PrometheusMeasures


def value(measures: PrometheusMeasures, name: str, **labels: str) -> float | None:
    found = measures.registry.get_sample_value(name, labels)
    return None if found is None else float(found)


def orphaned(task_id: str = "order-7", orphans: int = 1) -> GraphSketch:
    sketch = GraphSketch(task_id).node(f"task:{task_id}", "task", task_id)
    for number in range(orphans):
        sketch.node(f"task-attempt:{task_id}:{number}", "task_attempt", f"attempt {number}", 1)
    return sketch


def test_a_graph_is_measured() -> None:
    measures = PrometheusMeasures()
    graph = failing_run()
    GraphReports(measures).built(graph, 0.25)
    assert value(measures, "relayna_graphs_total", completeness=graph.summary.graph_completeness) == 1
    assert value(measures, "relayna_graph_nodes_sum") == len(graph.nodes)
    topology = graph.topology_kind or ""
    assert value(measures, "relayna_graph_build_duration_seconds_sum", topology=topology) == 0.25


def test_an_attempt_that_nothing_led_to_is_counted_and_named_once(caplog: pytest.LogCaptureFixture) -> None:
    measures = PrometheusMeasures()
    reports = GraphReports(measures)
    for _ in range(3):
        reports.built(orphaned().graph(), 0.1)
    assert value(measures, "relayna_missing_inbound_edges_total") == 1
    [record] = caplog.records
    assert "'order-7'" in record.getMessage()
    assert "task-attempt:order-7:0" in record.getMessage()


def test_what_was_left_out_on_purpose_is_not_missed() -> None:
    measures = PrometheusMeasures()
    GraphReports(measures).built(orphaned().graph(), 0.1, whole=False)
    assert value(measures, "relayna_missing_inbound_edges_total") == 0
    assert value(measures, "relayna_graphs_total", completeness="full") == 1


def test_many_are_counted_and_some_are_named(caplog: pytest.LogCaptureFixture) -> None:
    measures = PrometheusMeasures()
    GraphReports(measures).built(orphaned(orphans=13).graph(), 0.1)
    assert value(measures, "relayna_missing_inbound_edges_total") == 13
    assert "and 3 more" in caplog.text


def test_it_remembers_no_more_than_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relayna.observability.metrics.graph_reports._REMEMBERED", 2)
    reports = GraphReports()
    for number in range(5):
        reports.built(orphaned(f"order-{number}").graph(), 0.1)
    assert list(reports._told) == [(f"order-{n}", f"task-attempt:order-{n}:0") for n in (3, 4)]
