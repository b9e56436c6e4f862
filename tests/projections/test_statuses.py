"""When records of statuses are one status, and when they are not."""

from __future__ import annotations

from typing import Any

import pytest
from projections.plain_histories import at, plain_items
from projections.test_execution import graph_of

from relayna.testing import edges, history, nodes


def labels(items: list[Any]) -> list[str]:
    return [one.label for one in nodes(graph_of(items), "status_event")]


def test_observed_stored_and_relayed_it_is_one() -> None:
    attempt = history("T").published().attempt().status("sent", meta={"to": 3}).relayed(skew=90)
    graph = graph_of(attempt.relayed(skew=95).acked().relayed(skew=-500).events)
    assert [one.label for one in nodes(graph, "status_event")] == ["processing", "sent", "completed"]
    assert nodes(graph, "status_event")[1].annotations["meta"] == {"to": 3}
    assert [source for source, _ in edges(graph, "published_status")] == ["task-attempt:T:1"] * 3


@pytest.mark.parametrize("event_type", ["TaskLifecycleStatusPublished", "StatusPublished"])
@pytest.mark.parametrize("fields", [{}, {"message_id": "m"}, {"meta": {"a": 1}}])
def test_plain_ones_are_one_when_text_and_instant_agree(event_type: str, fields: dict[str, Any]) -> None:
    observed = [at(1, event_type, status="processing"), at(0, "TaskMessageReceived")]
    assert labels(plain_items(observations=observed, statuses=[at(1, status="processing", **fields)])) == [
        "processing"
    ]
    assert (
        len(labels(plain_items(observations=observed, statuses=[at(2, status="processing", **fields)]))) == 2
    )
    assert len(labels(plain_items(observations=observed, statuses=[at(1, status="completed")]))) == 2


def test_every_entry_of_a_list_of_statuses_is_a_node() -> None:
    same_message = [at(second, status=text, message_id="task-message") for second, text in enumerate("abca")]
    assert labels(plain_items(statuses=same_message)) == ["a", "b", "c", "a"]
    untimed = [{"status": "a"}, {"status": "b"}]
    assert sorted(labels(plain_items(statuses=untimed))) == ["a", "b"]


def test_two_messages_are_two_statuses_however_alike() -> None:
    observed = [at(0, "TaskLifecycleStatusPublished", status="processing", message_id="m1")]
    stored = [at(0, status="processing", message_id="m2")]
    assert labels(plain_items(observations=observed, statuses=stored)) == ["processing", "processing"]


def test_stages_side_by_side_have_a_status_each() -> None:
    observed = [at(0, "TaskLifecycleStatusPublished", status="processing", stage=stage) for stage in "ab"]
    stored = [at(0, status="processing", stage=stage) for stage in "ab"]
    graph = graph_of(plain_items(observations=observed, statuses=stored))
    assert sorted(one.annotations["stage"] for one in nodes(graph, "status_event")) == ["a", "b"]


def test_an_answer_to_a_status_is_a_status_of_its_own() -> None:
    statuses = [
        at(0, status="processing", event_id="e1"),
        at(1, status="completed", event_id="e2", cause="e1"),
        at(2, status="completed", event_id="e3", cause="e2"),
    ]
    assert labels(plain_items(statuses=statuses)) == ["processing", "completed"]


@pytest.mark.parametrize("skew", [0, -1800, 1800])
def test_a_repeated_delivery_ends_its_task_once_and_that_is_the_latest(skew: float) -> None:
    first = history("T").published().attempt().status("completed")
    graph = graph_of(first.redelivered(skew=skew).acked().events)
    assert sorted(one.label for one in nodes(graph, "status_event")) == [
        "completed",
        "processing",
        "processing",
    ]
    assert graph.summary.status == "completed"
    completed = next(one.id for one in nodes(graph, "status_event") if one.label == "completed")
    assert [source for source, target in edges(graph, "published_status") if target == completed] == [
        "task-attempt:T:2"
    ]


def test_a_producers_status_is_not_the_running_attempts() -> None:
    events = history("T").published().attempt().events
    cancelled = at(600, status="cancelled", cause=events[0].envelope.event_id, event_id="m.status")
    graph = graph_of([*events, *plain_items(statuses=[cancelled])])
    assert ("task:T", "status:T:2") in edges(graph, "published_status")
