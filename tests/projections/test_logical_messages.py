"""One message for all its copies, and the attempt that sent it."""

from __future__ import annotations

from typing import Any

from projections.plain_histories import at, plain_items
from projections.test_execution import graph_of

from relayna.projections.gathering import gather_task_run
from relayna.projections.logical_messages import LogicalMessage
from relayna.testing import edges, history


def messages_of(*observations: dict[str, Any]) -> list[LogicalMessage]:
    events = {item.envelope.event_id: item for item in plain_items("W", observations=observations)}  # type: ignore[union-attr]
    return list(gather_task_run("W", events).messages.values())  # type: ignore[arg-type]


def test_stages_come_from_whichever_record_names_them() -> None:
    (message,) = messages_of(
        at(0, "WorkflowMessagePublished", message_id="m"),
        at(1, "WorkflowMessageReceived", message_id="m", stage="b", origin_stage="a"),
    )
    assert message.stages() == ("b", "a")
    first = message.first()
    assert first is not None
    assert type(first.event.body).__name__ == "WorkflowMessagePublished"


def test_copies_add_no_message() -> None:
    first = history("W").enters("ingest").attempt().retried().attempt().dead_lettered().replayed().attempt()
    graph = graph_of(first.redelivered().acked().events)
    assert len([node for node in graph.nodes if node.kind == "workflow_message"]) == 1
    assert len(edges(graph, "entered_stage")) == 4


def test_a_message_that_was_only_joined_has_no_record_of_its_own() -> None:
    (message,) = messages_of(at(0, "WorkflowStageAcked", stage="a", joined_message_ids=["m", "m"]))
    assert (message.first(), message.stages(), message.origin.rule) == (None, (None, None), "no_origin_stage")


def test_the_maker_is_the_newest_attempt_of_the_stage_of_origin_by_then() -> None:
    sent = [at(5, "WorkflowMessagePublished", message_id="m", stage="b", origin_stage="a")]
    received = [
        at(second, "WorkflowMessageReceived", stage="a", message_id=f"n{second}") for second in (1, 2, 6)
    ]
    message = next(one for one in messages_of(*sent, *received) if one.message_id == "m")
    assert message.origin.attempt is not None
    assert (message.origin.attempt.number, message.origin.rule) == (2, "origin_stage")
    (alone,) = messages_of(*sent)
    assert (alone.origin.attempt, alone.origin.rule) == (None, "no_attempt_begun_by_then")
