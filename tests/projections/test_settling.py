"""How attempts end when their own closing event does not say it, and of which attempt a letter is."""

from __future__ import annotations

from typing import Any

import pytest
from projections.plain_histories import at, plain_items
from projections.test_execution import graph_of

from relayna.testing import edges, history, nodes


def outcomes(items: list[Any]) -> list[str]:
    attempts = sorted(nodes(graph_of(items), "task_attempt"), key=lambda one: one.label)
    return [one.annotations["outcome"] for one in attempts]


@pytest.mark.parametrize("skew", [-3600, 0, 3600])
@pytest.mark.parametrize("delivery_count", [None, 1])
def test_an_open_attempt_is_abandoned_when_its_message_was_handled_again(
    skew: float, delivery_count: int | None
) -> None:
    killed = history("T").published().attempt()
    again = killed.redelivered(skew=skew, delivery_count=delivery_count)
    assert outcomes([*again.events]) == ["abandoned", "running"]
    assert outcomes([*again.acked().events]) == ["abandoned", "acked"]


def test_a_delivery_that_was_closed_is_never_begun_again_so_the_open_one_came_before() -> None:
    task = history("T").published()
    late = task.attempt()
    task.after(5).attempt(task.waiting, skew=-60).acked()
    assert sorted(outcomes([*late.events])) == ["abandoned", "acked"]


def test_a_delivery_that_was_given_back_may_be_running() -> None:
    released = history("T").published().attempt().released()
    assert outcomes([*released.redelivered().events]) == ["released", "running"]


def test_attempts_of_other_messages_say_nothing() -> None:
    task = history("T").sent_by_others()
    task.attempt()
    assert outcomes([*task.sent_by_others().attempt().acked().events]) == ["running", "acked"]


def test_in_foreign_records_a_retry_or_a_dead_letter_beats_an_acknowledgement() -> None:
    received = at(0, "TaskMessageReceived")
    acked = at(2, "TaskMessageAcked")
    assert outcomes(plain_items(observations=[received, acked, at(1, "ConsumerRetryScheduled")])) == [
        "retried"
    ]
    assert outcomes(plain_items(observations=[received, acked, at(3, "ConsumerDeadLetterPublished")])) == [
        "dead_lettered"
    ]


def test_without_ids_a_redelivery_of_the_same_queue_abandons_the_open_attempt() -> None:
    records = [
        at(0, "TaskMessageReceived", queue_name="q"), at(1, "TaskMessageReceived", queue_name="q", redelivered=True)
    ]  # fmt: skip
    assert outcomes(plain_items(observations=records)) == ["abandoned", "running"]


def test_an_attempt_of_which_only_the_middle_is_known() -> None:
    events = history("T").published().attempt().status("x").acked().events
    assert outcomes([event for event in events if event.envelope.seq in (1, 2)]) == ["unknown"]


def test_a_letter_goes_to_the_newest_attempt_of_its_message_by_then() -> None:
    records = [at(second, "TaskMessageReceived", message_id="m") for second in (0, 1, 9)]
    letter = at(5, reason="poison", message_id="m")
    graph = graph_of(plain_items(observations=records, letters=[letter]))
    assert edges(graph, "dead_lettered_to") == [("task-attempt:T:2", "dlq:T:1")]
    edge = next(edge for edge in graph.edges if edge.kind == "dead_lettered_to")
    assert edge.annotations == {"evidence": "inferred", "rule": "newest_attempt_of_the_message"}
    assert outcomes(plain_items(observations=records, letters=[letter])) == [
        "abandoned", "dead_lettered", "running",
    ]  # fmt: skip
