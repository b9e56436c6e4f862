"""What a graph says of retries."""

from __future__ import annotations

from projections.plain_histories import at, plain_items
from projections.test_execution import graph_of

from relayna.projections.retries import Retry
from relayna.testing import edges, history, node, nodes


def test_a_retry_waits_until_an_attempt_is_born_of_it() -> None:
    first = history("T").published().attempt().retried(delay_ms=250)
    waiting = node(graph_of(first.events), "retry:T:1").annotations
    assert (waiting["state"], waiting["retry_attempt"], waiting["delay_ms"]) == ("retrying", 1, 250)
    assert "state" not in node(graph_of(first.attempt().events), "retry:T:1").annotations


def test_the_label_is_its_number_else_its_place() -> None:
    records = [at(0, "ConsumerRetryScheduled", retry_attempt=7), at(1, "ConsumerRetryScheduled")]
    graph = graph_of(plain_items(observations=records))
    assert [one.label for one in nodes(graph, "retry")] == ["retry 7", "retry 2"]
    assert edges(graph, "retried_as") == [("task:T", "retry:T:1"), ("task:T", "retry:T:2")]


def test_without_an_attempt_it_hangs_on_its_message() -> None:
    records = [
        at(0, "WorkflowMessagePublished", message_id="m", stage="a"),
        at(1, "ConsumerRetryScheduled", stage="a", message_id="m"),
    ]
    graph = graph_of(plain_items(observations=records))
    assert edges(graph, "retried_as") == [("workflow-message:m", "retry:T:1")]


def test_its_number_and_node_come_later() -> None:
    assert {"number", "node_id"} <= set(Retry.__struct_fields__)
