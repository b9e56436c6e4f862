"""What a graph says of the task itself, its statuses and what cannot be read."""

from __future__ import annotations

from typing import Any

import pytest
from projections.plain_histories import at, plain_items
from projections.test_execution import graph_of

from relayna.testing import history, node, nodes
from relayna.testing.attempt_histories import AttemptHistory
from relayna.testing.histories import TaskHistory


def state(items: list[Any], **query: Any) -> str:
    return str(node(graph_of(items, "T", **query), "task:T").annotations["state"])


def task(*, lifecycle_statuses: bool = True) -> TaskHistory:
    return history("T", lifecycle_statuses=lifecycle_statuses).published()


def begun(*, lifecycle_statuses: bool = True) -> AttemptHistory:
    return task(lifecycle_statuses=lifecycle_statuses).attempt()


@pytest.mark.parametrize("told", [True, False])
def test_where_a_task_stands(told: bool) -> None:
    def attempt() -> AttemptHistory:
        return begun(lifecycle_statuses=told)

    assert state(task().events) == "queued"
    assert state(attempt().events) == "running"
    assert state(attempt().fails().retried().events) == "retrying"
    assert state(attempt().retried().attempt().events) == "running"
    assert state(attempt().manually_retried().events) == "retrying"
    assert state(attempt().released().events) == "queued"
    assert state(attempt().acked().events) == "succeeded"
    assert state(attempt().dead_lettered().replayed().attempt().events) == "running"
    assert state(attempt().dead_lettered().events) == ("failed" if told else "dead_lettered")


def test_without_attempts_its_statuses_and_letters_say_it() -> None:
    assert state(plain_items(statuses=[at(0, status="cancelled")])) == "abandoned"
    assert state(plain_items(statuses=[at(0, status="somewhere")])) == "unknown"
    assert state(plain_items(letters=[at(0, reason="poison")])) == "dead_lettered"
    assert state([]) == "unknown"


def test_a_later_event_reopens_and_a_report_does_not() -> None:
    finished = history("T").published().attempt().acked()
    assert state(finished.task.published().attempt().events) == "running"
    child = history("T").published().attempt()
    report = child.reports()
    child.acked()
    assert state(child.task.attempt(report).events) == "succeeded"


def test_an_attempt_that_ended_later_does_not_hide_one_that_runs() -> None:
    story = history("T", lifecycle_statuses=False).enters("ingest")
    ingest = story.attempt()
    left, right = ingest.sends("left"), ingest.sends("right")
    ingest.acked()
    story.attempt(left)
    story.attempt(right).acked()
    assert state(story.events) == "running"


def test_statuses_that_end_tasks_in_this_topology() -> None:
    events = begun(lifecycle_statuses=False).status("archived").acked().status("archived").events
    assert state(events) == "succeeded"
    assert state(events, terminal_statuses=("archived",)) == "unknown"  # over, and nobody says how well


def test_the_root_names_its_parent_session_and_thread() -> None:
    record = at(0, status="s", meta={"parent_task_id": "P"}, session_id="S", correlation_id="K")
    shown = node(graph_of(plain_items(statuses=[record])), "task:T").annotations
    assert (shown["parent_task_id"], shown["session_id"], shown["correlation_id"]) == ("P", "S", "K")


def test_statuses_show_what_was_said() -> None:
    record = at(0, status="failed", message="no", meta={"code": 7}, stage="s")
    shown = nodes(graph_of(plain_items(statuses=[record])), "status_event")[0]
    assert shown.label == "failed"
    assert {name: shown.annotations[name] for name in ("message", "meta", "stage", "state")} == {
        "message": "no", "meta": {"code": 7}, "stage": "s", "state": "failed",
    }  # fmt: skip


def test_a_dead_letter_without_a_reason_is_called_one() -> None:
    assert nodes(graph_of(plain_items(letters=[at(0)])), "dlq_record")[0].label == "dead letter"
