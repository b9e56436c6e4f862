"""Which attempt a record without ids belongs to."""

from __future__ import annotations

from typing import Any

import pytest
from projections.plain_histories import at, plain_items
from projections.test_execution import graph_of

from relayna.events import TaskMessageReceived, WorkflowMessageReceived
from relayna.projections.attempts import AGGREGATION, Line, lane_of
from relayna.projections.ordering import in_causal_order
from relayna.projections.reading import read_events
from relayna.testing import history, node, nodes


def outcomes(*observations: dict[str, Any]) -> list[tuple[str, str]]:
    graph = graph_of(plain_items(observations=observations))
    drawn = nodes(graph, "task_attempt") + nodes(graph, "stage_attempt")
    return [(one.label, one.annotations["outcome"]) for one in drawn]


def test_a_report_that_is_taken_in_meanwhile_does_not_take_the_tasks_end() -> None:
    assert outcomes(
        at(0, "TaskMessageReceived"),
        at(1, "AggregationMessageReceived"),
        at(2, "TaskMessageAcked"),
        at(3, "AggregationHandlerFailed"),
        at(3, "AggregationRetryScheduled", retry_attempt=1),
    ) == [("T attempt 1", "acked"), ("T attempt 2", "retried")]


def test_records_of_a_stage_belong_to_attempts_of_that_stage() -> None:
    assert outcomes(
        at(0, "WorkflowMessageReceived", stage="a", message_id="m"),
        at(1, "WorkflowMessageReceived", stage="b", message_id="n"),
        at(2, "WorkflowStageAcked", stage="a"),
        at(3, "ConsumerRetryScheduled", stage="b"),
    ) == [("a attempt 1", "acked"), ("b attempt 1", "retried")]


def test_a_record_that_names_no_stage_may_belong_to_any() -> None:
    assert outcomes(at(0, "WorkflowMessageReceived", stage="a"), at(1, "WorkflowStageAcked")) == [
        ("a attempt 1", "acked")
    ]
    assert outcomes(at(0, "TaskMessageReceived"), at(1, "WorkflowStageAcked", stage="a")) == [
        ("T attempt 1", "acked")
    ]


def test_a_status_with_a_stage_does_not_make_a_task_attempt_a_stages() -> None:
    told = [
        at(0, "TaskMessageReceived", attempt_id="a1", seq=0, event_id="a1.0"),
        at(1, "StatusPublished", status="x", stage="odd", attempt_id="a1", seq=1, event_id="a1.1"),
    ]
    assert outcomes(*told) == [("T attempt 1", "running")]


def test_facts_about_an_attempt_do_not_move_its_beginning() -> None:
    attempt = history("T").published().attempt().acked().repeated(skew=-7200)
    graph = graph_of(attempt.events)
    assert node(graph, "task-attempt:T:1").timestamp == "2026-01-01T00:00:00.001000+00:00"


@pytest.mark.parametrize(
    ("body", "lane"),
    [
        (TaskMessageReceived(queue_name="q"), ""),
        (WorkflowMessageReceived(stage="s"), "stage:s"),
        (WorkflowMessageReceived(queue_name="q"), "stage:q"),
        (WorkflowMessageReceived(), "stage:unknown"),
    ],
)
def test_lanes(body: Any, lane: str) -> None:
    assert lane_of(body) == lane != AGGREGATION


def test_a_line_finds_the_newest_begun_by_a_time() -> None:
    line = Line()
    events = history("T", tick=1).published().attempt().retried().attempt().events
    ordered, _ = in_causal_order({event.envelope.event_id: event for event in events})
    attempts = read_events(ordered).attempts.members
    for attempt in attempts:
        line.append(attempt)
    first, second = (attempt.key[0] for attempt in attempts)
    found = [line.newest(time) for time in (first - 1, first, second - 1, second)]
    assert found == [None, attempts[0], attempts[0], attempts[1]]
