"""Foreign records: where an attempt comes from when no cause says it."""

from __future__ import annotations

from typing import Any

import pytest
from projections.plain_histories import at, plain_items
from projections.test_execution import graph_of

from relayna.projections.graph import ExecutionGraph
from relayna.testing import births, history


def told(*observations: dict[str, Any], **others: Any) -> ExecutionGraph:
    return graph_of(plain_items(observations=observations, **others))


def born(graph: ExecutionGraph, number: int) -> tuple[str, str, str | None]:
    edge = births(graph, f"task-attempt:T:{number}")[0]
    return edge.source, edge.kind, edge.annotations.get("rule")


def test_by_the_number_of_the_retry() -> None:
    graph = told(
        at(0, "TaskMessageReceived"),
        at(1, "ConsumerRetryScheduled", retry_attempt=1),
        at(2, "TaskMessageReceived", retry_attempt=1),
        at(3, "ConsumerRetryScheduled", retry_attempt=2),
        at(9, "TaskMessageReceived", retry_attempt=2),
        at(9.5, "TaskMessageReceived", retry_attempt=1),
    )
    assert born(graph, 2) == ("retry:T:1", "received_by", "retry_attempt")
    assert born(graph, 3) == ("retry:T:2", "received_by", "retry_attempt")
    assert born(graph, 4) == ("retry:T:1", "received_by", "retry_attempt")


def test_by_the_retry_before_it_when_nothing_is_counted() -> None:
    graph = told(
        at(0, "TaskMessageReceived"), at(1, "ConsumerRetryScheduled"), at(2, "TaskMessageReceived"),
        at(3, "TaskMessageAcked"), at(4, "TaskMessageReceived"),
    )  # fmt: skip
    assert born(graph, 2) == ("retry:T:1", "received_by", "retried_before")
    assert born(graph, 3) == ("task:T", "received_by", "no_other_origin")


@pytest.mark.parametrize("fields", [{"replay_count": 1}, {}])
def test_by_the_replay(fields: dict[str, int]) -> None:
    graph = told(
        at(0, "TaskMessageReceived"),
        at(1, "ConsumerDeadLetterPublished", reason="poison"),
        at(2, "DeadLetterReplayed", dead_letter_id="d1"),
        at(3, "TaskMessageReceived", **fields),
        letters=[at(1, reason="poison", dlq_id="d1")],
    )
    assert born(graph, 2)[:2] == ("dlq:T:1", "replayed_as")


def test_a_redelivery_hangs_where_its_message_hung_even_after_a_manual_status() -> None:
    graph = told(
        at(0, "TaskMessageReceived", message_id="m"),
        at(2, "TaskMessageReceived", message_id="m", redelivered=True),
        statuses=[at(1, status="manual_retrying")],
    )
    assert born(graph, 2) == ("task:T", "received_by", "no_other_origin")


def test_a_manual_status_joins_attempts_of_its_own_stage_only() -> None:
    graph = graph_of(
        plain_items(
            statuses=[at(1, status="manual_retrying", stage="b")],
            observations=[
                at(second, "WorkflowMessageReceived", stage=stage, message_id=f"{stage}{second}")
                for second, stage in ((0, "a"), (0, "b"), (2, "a"), (2, "b"))
            ],
        )
    )
    manual = [(edge.source, edge.target) for edge in graph.edges if edge.kind == "manual_retry_to"]
    assert manual == [("stage-attempt:T:b:1", "stage-attempt:T:b:2")]


def test_a_report_between_does_not_part_a_manual_retry() -> None:
    graph = told(
        at(0, "TaskMessageReceived"), at(1.5, "AggregationMessageReceived"), at(2, "TaskMessageReceived"),
        statuses=[at(1, status="manual_retrying")],
    )  # fmt: skip
    assert born(graph, 2) == ("task:T", "received_by", "no_other_origin")
    assert born(graph, 3) == ("task-attempt:T:1", "manual_retry_to", "manual_retrying")


def test_a_second_message_from_outside_is_not_the_retry_of_the_first() -> None:
    task = history("T").sent_by_others()
    task.attempt().retried()
    graph = graph_of(task.sent_by_others().attempt().acked().events)
    assert born(graph, 2) == ("task:T", "received_by", None)


def test_a_release_as_cause_is_no_manual_retry() -> None:
    first = history("T").published().attempt().released()
    again = first.task.attempt()
    events = [*first.events]
    opened = next(event for event in events if event.envelope.attempt_id == again.attempt_id)
    caused = type(opened.envelope)(
        **{
            name: getattr(opened.envelope, name)
            for name in opened.envelope.__struct_fields__
            if name != "cause"
        },
        cause=first.last_event_id,
    )
    events[events.index(opened)] = type(opened)(envelope=caused, body=opened.body)
    assert born(graph_of(events), 2) == ("task:T", "received_by", None)
