"""Who handled a run, by the name that a consumer was given, else its stage, else its queue; who ended it, and how."""

from __future__ import annotations

from typing import Any

import pytest
from projections.lineage.told_facts import lineage, told

from relayna.events import TaskMessageReceived, WorkflowMessageReceived
from relayna.ids import AttemptId
from relayna.testing import history

NAMED_AFTER_ITS_PROCESS = {"consumer_name": "TaskConsumer-00112233", "queue_name": "work"}


@pytest.mark.parametrize(
    ("body", "agent"),
    [
        (TaskMessageReceived(consumer_name="resizer", queue_name="work"), "resizer"),
        (TaskMessageReceived(**NAMED_AFTER_ITS_PROCESS), "work"),
        (TaskMessageReceived(queue_name="work"), "work"),
        (WorkflowMessageReceived(stage="charge", **NAMED_AFTER_ITS_PROCESS), "charge"),
        (WorkflowMessageReceived(stage="charge", consumer_name="till", queue_name="work"), "till"),
        (TaskMessageReceived(), None),
    ],
)
def test_who_handled_it(body: Any, agent: str | None) -> None:
    attempt = {"attempt_id": AttemptId("a" * 16), "seq": 0, "producer": "00112233"}
    run = lineage([told("R1", 0, body, f"{'a' * 16}.0", **attempt)]).runs["R1"]
    assert run.agent == agent


def test_a_workflow_is_the_agents_who_began_it_and_ends_as_the_last_ones() -> None:
    price = history("R1").enters("price").attempt()
    charge = price.task.attempt(price.sends("charge"))
    price.acked()
    charge.fails().dead_lettered()
    run = lineage(price.events).runs["R1"]
    assert (run.agent, run.ended_by, run.status) == ("price", "charge", "dead_lettered")


def test_who_began_it_and_ended_it_is_named_once() -> None:
    first = history("R1").enters("price").attempt().retried()
    run = lineage(first.attempt().acked().events).runs["R1"]
    assert (run.agent, run.ended_by) == ("price", None)


def test_what_failed_without_a_dead_letter_is_failed_and_so_is_what_was_tried_again() -> None:
    attempt = history("R1").published().attempt().fails().acked()
    assert lineage(attempt.status("failed").events).runs["R1"].status == "failed"
    letter = history("R2").published().attempt().fails().dead_lettered()
    again = letter.replayed().attempt().fails().acked().status("failed")
    assert lineage(again.events).runs["R2"].status == "failed"
