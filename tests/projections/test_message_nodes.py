"""What a graph says of a workflow message, and what joined it."""

from __future__ import annotations

from projections.plain_histories import at, plain_items
from projections.test_execution import graph_of

from relayna.testing import edges, history, nodes


def test_a_message_stands_where_its_newest_attempt_stands() -> None:
    def state(*, closing: str) -> str:
        attempt = history("W").enters("ingest").attempt()
        graph = graph_of(getattr(attempt, closing)().events if closing else attempt.events)
        return str(nodes(graph, "workflow_message")[0].annotations["state"])

    assert state(closing="") == "running"
    assert state(closing="fails") == "failed"
    assert state(closing="retried") == "retrying"
    assert state(closing="acked") == "succeeded"
    assert state(closing="dead_lettered") == "dead_lettered"


def test_further_messages_join_and_the_attempts_own_does_not() -> None:
    graph = graph_of(
        plain_items(
            "W",
            observations=[
                at(0, "WorkflowMessageReceived", stage="a", message_id="m"),
                at(1, "WorkflowStageAcked", stage="a", joined_message_ids=["m", "n", "n"]),
            ],
        )
    )
    assert edges(graph, "joined_from") == [("workflow-message:n", "stage-attempt:W:a:1")]
    joined = next(edge for edge in graph.edges if edge.kind == "joined_from")
    assert (joined.timestamp, joined.annotations["evidence"]) == ("2026-01-01T09:00:01+00:00", "inferred")


def test_a_message_without_a_stage_is_labelled_by_its_id() -> None:
    graph = graph_of(plain_items("W", observations=[at(0, "WorkflowMessagePublished", message_id="m")]))
    assert nodes(graph, "workflow_message")[0].label == "m"
