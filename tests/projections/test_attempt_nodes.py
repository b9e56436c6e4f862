"""What a graph says of an attempt: its state, its times, its failure."""

from __future__ import annotations

from typing import Any

import pytest
from projections.plain_histories import at, plain_items
from projections.test_execution import graph_of

from relayna.testing import history, nodes


def annotations(items: list[Any], number: int = 0) -> dict[str, Any]:
    graph = graph_of(items)
    return nodes(graph, "task_attempt")[number].annotations


def test_a_handler_that_raised_has_failed_whatever_closed_it() -> None:
    failed = history("T").published().attempt().fails("KeyError", "'name'")
    shown = annotations([*failed.events])
    assert (shown["state"], shown["outcome"]) == ("failed", "running")
    assert (shown["exception_type"], shown["exception_message"]) == ("KeyError", "'name'")
    assert annotations([*failed.acked().events])["state"] == "failed"
    abandoned = history("T").published().attempt().fails()
    shown = annotations([*abandoned.redelivered().events])
    assert (shown["state"], shown["outcome"]) == ("failed", "abandoned")
    assert annotations([*history("T").published().attempt().fails().dead_lettered().events])["state"] == (
        "dead_lettered"
    )


def test_durations_and_waits() -> None:
    first = history("T", tick=0).published().after(2).attempt().after(3).retried(delay_ms=500)
    events = first.after(4).attempt().after(1).acked().events
    assert (annotations(events)["queue_wait_ms"], annotations(events)["duration_ms"]) == (2000, 3000)
    assert (annotations(events, 1)["queue_wait_ms"], annotations(events, 1)["duration_ms"]) == (3500, 1000)
    assert "anomalies" not in annotations(events)


@pytest.mark.parametrize(
    "times", [("TaskMessageReceived", "yesterday"), ("TaskMessageAcked", None), ("TaskPublished", "")]
)
def test_what_has_no_time_lasts_no_time(times: tuple[str, str | None]) -> None:
    untimed, timestamp = times
    records = [
        at(0, "TaskPublished", event_id="m.published"),
        at(1, "TaskMessageReceived", event_id="a.0", attempt_id="a", seq=0, cause="m.published"),
        at(2, "TaskMessageAcked", event_id="a.1", attempt_id="a", seq=1),
    ]
    broken = [
        {**record, "timestamp": timestamp} if record["event_type"] == untimed else record
        for record in records
    ]
    shown = annotations(plain_items(observations=broken))
    assert shown["outcome"] == "acked"
    assert "anomalies" not in shown
    assert all(0 <= shown[name] <= 1000 for name in ("duration_ms", "queue_wait_ms") if name in shown)
    assert ("duration_ms" in shown) == (untimed == "TaskPublished")


def test_a_lost_acknowledgement_in_foreign_records() -> None:
    records = [
        at(0, "TaskMessageReceived", message_id="m"),
        at(1, "TaskMessageAcked"),
        at(2, "TaskMessageReceived", message_id="m", redelivered=True),
    ]
    assert annotations(plain_items(observations=records))["anomalies"] == ["lost_ack"]


def test_a_redelivery_without_a_known_attempt_before_it_is_no_gap() -> None:
    events = history("T").published().attempt(redelivered=True).acked().events
    graph = graph_of(events)
    assert graph.summary.graph_completeness == "full"
    assert nodes(graph, "task_attempt")[0].annotations["redelivered"] is True


def test_samples_are_summed_up() -> None:
    records = [
        at(0, "TaskMessageReceived"),
        at(1, "TaskResourceSampled", cpu_process_seconds=2.5, memory_rss_bytes=100),
        at(2, "TaskResourceSampled", cpu_process_seconds=4.0, memory_rss_bytes=70),
    ]
    shown = annotations(plain_items(observations=records))
    assert (shown["cpu_process_seconds"], shown["memory_rss_bytes"]) == (1.5, 100)


def test_a_childs_report_is_an_attempt_of_the_child() -> None:
    parent = history("T").published().attempt()
    child = parent.spawns("C").attempt()
    report = child.task.attempt(child.reports("half")).acked()
    child.acked()
    graph = graph_of(report.events)
    attempts = [one for one in nodes(graph, "task_attempt") if one.task_id == "C"]
    assert [one.annotations.get("role") for one in attempts] == [None, "aggregation"]
    assert ("aggregation_child:C", "task-attempt:C:2") in [(edge.source, edge.target) for edge in graph.edges]


def test_an_attempt_names_the_batch_that_its_task_came_in() -> None:
    received = at(1, "TaskMessageReceived", event_id="a.0", attempt_id="a", seq=0, batch_id="night")
    assert annotations(plain_items(observations=[received]))["batch_id"] == "night"
    del received["batch_id"]
    assert "batch_id" not in annotations(plain_items(observations=[received]))
