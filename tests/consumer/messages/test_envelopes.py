"""Bodies go round as JSON; newer ones do no harm."""

from __future__ import annotations

import pytest

from relayna.consumer.messages.envelopes import (
    MalformedMessage,
    StatusEnvelope,
    TaskEnvelope,
    WorkflowEnvelope,
    encode_body,
    read_batch,
    read_body,
)

TASK = TaskEnvelope(task_id="order", payload={"total": 7}, task_type="pay", meta={"a": [1, None]})
STATUS = StatusEnvelope(task_id="order", status="half", message="way", timestamp="2026-01-01T00:00:00+00:00")
STEP = WorkflowEnvelope(task_id="order", message_id="m", stage="ship", origin_stage="pack", payload="x")


@pytest.mark.parametrize("envelope", [TASK, STATUS, STEP], ids=lambda envelope: type(envelope).__name__)
def test_what_is_encoded_is_read(envelope: TaskEnvelope | StatusEnvelope | WorkflowEnvelope) -> None:
    assert read_body(encode_body(envelope), type(envelope)) == envelope


def test_what_is_not_set_is_not_sent() -> None:
    assert encode_body(TaskEnvelope(task_id="order")) == b'{"task_id":"order"}'


def test_fields_of_newer_producers_are_ignored() -> None:
    assert read_body(b'{"task_id":"order","urgency":3}', TaskEnvelope) == TaskEnvelope(task_id="order")


def test_a_body_that_cannot_be_read_says_what_was_wanted() -> None:
    with pytest.raises(MalformedMessage, match="no StatusEnvelope") as caught:
        read_body(b'{"task_id":"order"}', StatusEnvelope)
    assert "status" in caught.value.problem


def test_an_empty_task_id_names_no_task() -> None:
    with pytest.raises(MalformedMessage, match="task_id is empty"):
        read_body(b'{"task_id":""}', TaskEnvelope)


@pytest.mark.parametrize("payload", [object(), {1, object()}, {object(): 1}])
def test_payloads_that_json_cannot_hold_are_refused(payload: object) -> None:
    with pytest.raises(TypeError):
        encode_body(TaskEnvelope(task_id="order", payload=payload))


@pytest.mark.parametrize(
    ("body", "tasks"),
    [
        (b'{"batch_id":"b","tasks":[{"task_id":"a"},{"task_id":"b","payload":1}],"colour":"red"}', 2),
        (b'{"task_id":"a","batch_id":"b","tasks":[1]}', None),  # a task, and strangers
        (b'{"task_id":"","tasks":[]}', None),
        (b'{"payload":1}', None),
        (b'[{"task_id":"a"}]', None),
        (b"not JSON", None),
    ],
)
def test_a_batch_is_told_from_a_task_by_its_shape(body: bytes, tasks: int | None) -> None:
    batch = read_batch(body)
    assert (batch and len(batch.tasks)) == tasks


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"batch_id":"b","tasks":7}', "array"),
        (b'{"batch_id":"b","tasks":{"task_id":"a"}}', "array"),
        (b'{"batch_id":"b","tasks":null}', "array"),
        (b'{"batch_id":"b","tasks":[{"payload":1}]}', "task_id"),
        (b'{"batch_id":"b","tasks":[{"task_id":"a"},{"task_id":""}]}', "task_id is empty in tasks[1]"),
        (b'{"batch_id":"b","tasks":["a"]}', "object"),
        (b'{"batch_id":"b","tasks":[]}', "it holds no tasks"),
        (b'{"batch_id":"b"}', "tasks"),
        (b'{"tasks":[{"task_id":"a"}]}', "batch_id"),
        (b'{"batch_id":"","tasks":[{"task_id":"a"}]}', "batch_id is empty"),
        (b'{"batch_id":7,"tasks":[{"task_id":"a"}]}', "str"),
        (b'{"batch_id":"b","meta":[],"tasks":[{"task_id":"a"}]}', "meta"),
    ],
)
def test_a_batch_that_cannot_be_read_says_why(body: bytes, problem: str) -> None:
    with pytest.raises(MalformedMessage, match="no BatchTaskEnvelope") as caught:
        read_batch(body)
    assert problem in caught.value.problem
