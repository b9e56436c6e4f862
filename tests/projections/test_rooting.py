"""Circles that records claim are cut, so that every node hangs below its task."""

from __future__ import annotations

from typing import Any

from projections.plain_histories import at, plain_items
from projections.test_execution import graph_of

from relayna.testing import births


def told(attempt: str, seq: int, event_type: str, **fields: Any) -> dict[str, Any]:
    return at(seq, event_type, attempt_id=attempt, seq=seq, event_id=f"{attempt}.{seq}", **fields)


def test_attempts_that_claim_to_be_each_others_retries() -> None:
    graph = graph_of(
        plain_items(
            observations=[
                told("a", 0, "TaskMessageReceived", cause="b.1"),
                told("a", 1, "ConsumerRetryScheduled"),
                told("b", 0, "TaskMessageReceived", cause="a.1"),
                told("b", 1, "ConsumerRetryScheduled"),
            ]
        )
    )
    cut = [node.id for node in graph.nodes if node.kind == "task_attempt"
           and births(graph, node.id)[0].annotations.get("rule") == "circle_cut"]  # fmt: skip
    assert len(cut) == 1
    assert "cycle" in graph.annotations["completeness"]


def test_an_attempt_that_made_the_message_that_it_handles() -> None:
    graph = graph_of(
        plain_items(
            observations=[
                told("a", 0, "WorkflowMessagePublished", message_id="m", stage="s"),
                told("a", 1, "WorkflowMessageReceived", message_id="m", stage="s"),
            ]
        )
    )
    born = births(graph, "stage-attempt:T:s:1")[0]
    assert (born.source, born.kind, born.annotations["rule"]) == ("task:T", "received_by", "circle_cut")


def test_an_honest_history_is_left_alone() -> None:
    graph = graph_of(plain_items(observations=[told("a", 0, "TaskMessageReceived")]))
    assert "cycle" not in graph.annotations.get("completeness", [])
