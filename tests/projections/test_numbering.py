"""Numbers count from 1 in the order of the events, within the task and stage."""

from __future__ import annotations

from projections.plain_histories import at, plain_items
from projections.test_execution import graph_of

from relayna.projections.numbering import number_nodes
from relayna.testing import nodes


def test_stages_count_for_themselves() -> None:
    graph = graph_of(
        plain_items(
            "a:b",
            observations=[
                at(0, "WorkflowMessageReceived", stage="s:1"),
                at(1, "WorkflowMessageReceived", stage="t"),
                at(2, "WorkflowMessageReceived", stage="s:1"),
                at(3, "TaskMessageReceived"),
                at(4, "AggregationMessageReceived"),
            ],
        )
    )
    assert [one.id for one in nodes(graph, "stage_attempt")] == [
        "stage-attempt:a%3Ab:s%3A1:1", "stage-attempt:a%3Ab:t:1", "stage-attempt:a%3Ab:s%3A1:2",
    ]  # fmt: skip
    assert [one.id for one in nodes(graph, "task_attempt")] == [
        "task-attempt:a%3Ab:1",
        "task-attempt:a%3Ab:2",
    ]
    assert [one.label for one in nodes(graph, "stage_attempt")] == [
        "s:1 attempt 1",
        "t attempt 1",
        "s:1 attempt 2",
    ]


def test_nothing_to_number() -> None:
    number_nodes("T", [], [], [])  # type: ignore[arg-type]
