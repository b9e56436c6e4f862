"""Which tasks can travel in one message."""

from __future__ import annotations

from typing import Any

import pytest

from relayna.consumer import TaskEnvelope, TaskRequest
from relayna.consumer.batch_request import BatchRequest
from relayna.errors import InvalidQuery
from relayna.topologies import Route, RoutedTasksSharedStatusTopology

ROUTED = RoutedTasksSharedStatusTopology(
    rabbitmq_url="amqp://broker.example",
    tasks_exchange="tasks",
    tasks_queue="work",
    task_types=("pay", "ship"),
    status_exchange="statuses",
    status_queue="statuses.all",
)


def batch(*tasks: TaskRequest) -> BatchRequest:
    return BatchRequest(batch_id="b-1", tasks=tasks)


@pytest.mark.parametrize(
    ("tasks", "parameter", "problem"),
    [
        ([], "tasks", "there are none"),
        ([{}, {}], "task_id", "'order' is in the batch twice"),
        ([{"message_id": "m"}], "message_id", "in a batch they come from the batch's own"),
        ([{}, {"task_id": "other", "priority": 3}], "priority", "task 'other' differ"),
        ([{}, {"task_id": "other", "headers": {"a": 1}}], "headers", "publish_tasks"),
    ],
)
def test_tasks_that_cannot_share_a_message(tasks: list[dict[str, Any]], parameter: str, problem: str) -> None:
    with pytest.raises(InvalidQuery, match=problem) as refused:
        batch(*(TaskRequest(**{"task_id": "order", **task}) for task in tasks))
    assert refused.value.parameter == parameter


def test_a_batch_needs_a_name() -> None:
    with pytest.raises(InvalidQuery, match="batch_id"):
        BatchRequest(batch_id="", tasks=(TaskRequest(task_id="order"),))


def test_what_its_tasks_have_in_common() -> None:
    same = {"headers": {"a": 1}, "priority": 3, "correlation_id": "c"}
    one = batch(TaskRequest(task_id="a", payload=1, **same), TaskRequest(task_id="b", payload=2, **same))
    assert (one.headers, one.priority) == ({"a": 1}, 3)
    envelope = one.envelope()
    assert (envelope.batch_id, envelope.correlation_id) == ("b-1", "c")
    assert envelope.tasks[1] == TaskEnvelope(task_id="b", payload=2, correlation_id="c", session_id="b")


def test_different_threads_stay_the_tasks_own() -> None:
    envelope = batch(TaskRequest(task_id="a", correlation_id="c"), TaskRequest(task_id="b")).envelope()
    assert envelope.correlation_id is None
    assert [task.correlation_id for task in envelope.tasks] == ["c", None]


def test_all_lead_to_one_place() -> None:
    assert batch(TaskRequest(task_id="a", task_type="pay")).route(ROUTED) == Route("tasks", "pay")
    with pytest.raises(InvalidQuery, match="'pay' and 'ship' lead to different places"):
        batch(TaskRequest(task_id="a", task_type="pay"), TaskRequest(task_id="b", task_type="ship")).route(
            ROUTED
        )
    with pytest.raises(InvalidQuery):
        batch(TaskRequest(task_id="a", task_type="pay"), TaskRequest(task_id="b", task_type="?")).route(
            ROUTED
        )
