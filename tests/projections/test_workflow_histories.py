"""The worked cases of workflows: stages, messages between them, branches and joins."""

from __future__ import annotations

import pytest
from projections.laws import assert_causes_run_forward
from projections.plain_histories import at, plain_items
from projections.test_execution import graph_of

from relayna.events import RecordedEvent
from relayna.testing import births, edges, history, node, nodes


def four_stages() -> list[RecordedEvent]:
    """ingest, then resize and classify side by side, then publish; classify fails once."""
    task = history("W").enters("ingest")
    ingest = task.attempt()
    to_resize, to_classify = ingest.sends("resize"), ingest.sends("classify")
    ingest.acked()
    resize = task.attempt(to_resize)
    classify = task.attempt(to_classify)
    classify.fails("TimeoutError").retried()
    classify = classify.attempt()
    from_resize = resize.sends("publish")
    resize.acked()
    from_classify = classify.sends("publish")
    classify.acked()
    return task.attempt(from_resize).acked(joins=(from_classify,)).events


def test_four_stages_two_of_them_side_by_side() -> None:
    graph = graph_of(four_stages())
    assert_causes_run_forward(graph)
    messages = {one.label: one for one in nodes(graph, "workflow_message")}
    assert sorted(one.label for one in nodes(graph, "workflow_message")) == [
        "classify", "ingest", "publish", "publish", "resize",
    ]  # fmt: skip
    assert edges(graph, "received_by") == [
        ("task:W", messages["ingest"].id), ("retry:W:1", "stage-attempt:W:classify:2"),
    ]  # fmt: skip
    assert [source for source, _ in edges(graph, "stage_transitioned_to")] == [
        "stage-attempt:W:ingest:1", "stage-attempt:W:ingest:1",
        "stage-attempt:W:resize:1", "stage-attempt:W:classify:2",
    ]  # fmt: skip
    assert node(graph, "stage-attempt:W:classify:1").label == "classify attempt 1"
    assert [one.annotations["state"] for one in nodes(graph, "workflow_message")] == ["succeeded"] * 5
    assert len(edges(graph, "joined_from")) == 1
    assert graph.summary.graph_completeness == "full"


def test_a_retried_stage_attempt_is_born_of_its_retry_and_entered_by_its_message() -> None:
    graph = graph_of(four_stages())
    second = "stage-attempt:W:classify:2"
    entered = [edge for edge in graph.edges if edge.target == second and edge.kind == "entered_stage"]
    assert [edge.annotations for edge in entered] == [{"evidence": "observed", "birth": False}]
    assert [edge.kind for edge in births(graph, second)] == ["received_by"]
    assert [edge.kind for edge in births(graph, "stage-attempt:W:classify:1")] == ["entered_stage"]


def test_a_redelivered_stage_attempt_enters_from_its_message_again() -> None:
    first = history("W").enters("ingest").attempt()
    graph = graph_of(first.redelivered().acked().events)
    message = nodes(graph, "workflow_message")[0].id
    assert [births(graph, f"stage-attempt:W:ingest:{n}")[0].source for n in (1, 2)] == [message, message]
    assert len(nodes(graph, "workflow_message")) == 1


def test_a_manual_retry_of_a_stage_has_a_message_of_its_own() -> None:
    graph = graph_of(history("W").enters("ingest").attempt().manually_retried().attempt().acked().events)
    assert edges(graph, "manual_retry_to") == [("stage-attempt:W:ingest:1", "stage-attempt:W:ingest:2")]
    assert edges(graph, "stage_transitioned_to")[0][0] == "stage-attempt:W:ingest:1"


def test_a_foreign_workflow_is_put_together_by_stages_and_times() -> None:
    graph = graph_of(
        plain_items(
            "W",
            observations=[
                at(0, "WorkflowMessageReceived", message_id="m1", stage="a"),
                at(1, "WorkflowMessagePublished", message_id="m2", stage="b", origin_stage="a"),
                at(2, "WorkflowStageAcked", stage="a"),
                at(3, "WorkflowMessageReceived", message_id="m2", stage="b", origin_stage="a"),
                at(4, "WorkflowStageFailed", stage="b", exception_type="ValueError"),
                at(5, "ConsumerRetryScheduled", stage="b", retry_attempt=1),
                at(5, "WorkflowStageAcked", stage="b"),
                at(
                    6,
                    "WorkflowMessageReceived",
                    message_id="m2",
                    stage="b",
                    origin_stage="a",
                    retry_attempt=1,
                ),
            ],
        )
    )
    assert edges(graph, "stage_transitioned_to") == [("stage-attempt:W:a:1", "workflow-message:m2")]
    transition = next(edge for edge in graph.edges if edge.kind == "stage_transitioned_to")
    assert transition.annotations == {"evidence": "inferred", "rule": "origin_stage"}
    assert edges(graph, "received_by") == [
        ("task:W", "workflow-message:m1"), ("retry:W:1", "stage-attempt:W:b:2"),
    ]  # fmt: skip
    assert node(graph, "stage-attempt:W:b:1").annotations["outcome"] == "retried"
    assert node(graph, "stage-attempt:W:b:2").annotations["state"] == "running"


def test_a_foreign_loop_to_the_same_stage_does_not_make_itself() -> None:
    graph = graph_of(
        plain_items(
            "W", observations=[at(0, "WorkflowMessageReceived", message_id="m", stage="a", origin_stage="a")]
        )
    )
    assert edges(graph, "received_by") == [("task:W", "workflow-message:m")]
    assert edges(graph, "entered_stage") == [("workflow-message:m", "stage-attempt:W:a:1")]


@pytest.mark.parametrize("fields", [{"stage": "a"}, {"queue_name": "a"}])
def test_messages_without_ids_are_their_deliveries(fields: dict[str, str]) -> None:
    graph = graph_of(
        plain_items("W", observations=[at(second, "WorkflowMessageReceived", **fields) for second in (0, 1)])
    )
    assert len(nodes(graph, "workflow_message")) == 2
    assert [one.id for one in nodes(graph, "stage_attempt")] == ["stage-attempt:W:a:1", "stage-attempt:W:a:2"]


def test_two_tasks_that_tell_of_one_message_have_a_node_each() -> None:
    record = at(0, "WorkflowMessageReceived", message_id="m", stage="a")
    child = {**record, "parent_task_id": "W"}
    graph = graph_of([*plain_items("W", observations=[record]), *plain_items("C", observations=[child])])
    assert sorted(one.id for one in nodes(graph, "workflow_message")) == [
        "workflow-message:m", "workflow-message:m:C",
    ]  # fmt: skip


def test_a_message_that_nobody_has_taken_waits() -> None:
    task = history("W", lifecycle_statuses=False).enters("ingest")
    ingest = task.attempt()
    ingest.sends("publish")
    graph = graph_of(ingest.acked().events)
    assert [one.annotations["state"] for one in nodes(graph, "workflow_message")] == ["succeeded", "queued"]
    assert node(graph, "task:W").annotations["state"] == "queued"


def test_a_stage_attempt_whose_beginning_is_missing_still_tells_its_message() -> None:
    events = [
        event
        for event in history("W", lifecycle_statuses=False).enters("ingest").attempt().acked().events
        if event.envelope.seq != 0
    ]
    graph = graph_of(events)
    assert edges(graph, "entered_stage") == [
        (nodes(graph, "workflow_message")[0].id, "stage-attempt:W:ingest:1")
    ]
    assert graph.annotations["completeness"] == ["gap"]
