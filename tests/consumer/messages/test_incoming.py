"""Deliveries are read whatever they hold, and what is derived from them stays the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.consumer.broker import Delivery, Message
from relayna.consumer.messages.envelopes import StatusEnvelope, TaskEnvelope, WorkflowEnvelope
from relayna.consumer.messages.incoming import (
    DeliveryIdentity,
    Incoming,
    batched_message_id,
    derived_message_id,
    read_delivery,
)

IDENTITY = DeliveryIdentity("m-1", "work", 0, 0)
texts = st.text(max_size=20)


def delivery(body: bytes, **changes: Any) -> Delivery:
    message = {
        name: changes.pop(name) for name in ("headers", "message_id", "correlation_id") if name in changes
    }
    given_fields = {"queue_name": "work", "exchange": "", "routing_key": "work", "delivery_tag": 1, **changes}
    return Delivery(message=Message(body=body, **message), **given_fields)


def read(body: object, kind: Any = TaskEnvelope, **changes: Any) -> Incoming[Any]:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_delivery(delivery(encoded, **changes), kind, place="work")


def test_a_task_of_ours() -> None:
    headers = {
        "x-relayna-message-id": "m-1",
        "x-relayna-session-id": "s",
        "x-relayna-parent-task-id": "p",
        "x-relayna-retry-attempt": 2,
        "x-relayna-replay-count": 1,
    }
    task = read({"task_id": "order", "payload": [1], "task_type": "pay"}, headers=headers, correlation_id="c")
    assert task.envelope == TaskEnvelope(task_id="order", payload=[1], task_type="pay")
    assert (task.task_id, task.session_id, task.parent_task_id, task.correlation_id) == (
        "order",
        "s",
        "p",
        "c",
    )
    assert task.identity == DeliveryIdentity("m-1", "work", 2, 1)
    assert not task.repeated


def test_a_task_of_somebody_who_knows_no_headers() -> None:
    body = {"task_id": "order", "correlation_id": "c", "meta": {"parent_task_id": "p"}, "colour": "red"}
    task = read(body, message_id="amqp-id")
    assert (task.message_id, task.parent_task_id, task.correlation_id) == ("amqp-id", "p", "c")
    assert task.session_id == "order"
    assert task.malformed is None


def test_a_workflow_message_may_name_itself_in_its_body() -> None:
    message = read({"task_id": "order", "message_id": "m-7"}, WorkflowEnvelope)
    assert message.identity == DeliveryIdentity("m-7", "work", 0, 0)


def test_a_message_without_an_id_has_no_identity() -> None:
    assert read({"task_id": "order"}).identity is None


@pytest.mark.parametrize("parent", [7, "", None, ["p"]])
def test_only_text_names_a_parent(parent: object) -> None:
    assert read({"task_id": "order", "meta": {"parent_task_id": parent}}).parent_task_id is None


@pytest.mark.parametrize(
    ("changes", "repeated"),
    [
        ({}, False),
        ({"redelivered": True}, True),
        ({"headers": {"x-relayna-repeated": True}}, True),
        ({"delivery_count": 3}, False),
    ],
)
def test_what_may_be_a_repeat(changes: dict[str, Any], repeated: bool) -> None:
    assert read({"task_id": "order"}, **changes).repeated is repeated


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\xff\xfe", b"null", b"[]", b'"order"', b"{", b'{"task_id": ""}', b'{"task_id": 7}', b"{}",
        b'{"task_id": "order", "meta": []}', b'{"task_id": "order", "payload": 1e999}', b'{"task_id": "\\ud800"}',
        b'{"task_id": "order", "payload": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", b"\x00" * 100,
    ],
    ids=lambda body: repr(body[:30]),
)  # fmt: skip
def test_what_cannot_be_read_still_has_a_task_to_be_told_of(body: bytes) -> None:
    nameless = read(body)
    assert nameless.malformed is not None
    assert nameless.envelope is None
    assert nameless.task_id.startswith("unreadable:")
    assert nameless.task_id == read(body, redelivered=True).task_id
    assert read(body, message_id="m-9").task_id == "unreadable:m-9"
    assert read(body, headers={"x-relayna-task-id": "order"}).task_id == "order"


def test_a_batch_is_many_tasks_and_none_itself() -> None:
    body = {"batch_id": "b-1", "tasks": [{"task_id": "order"}], "correlation_id": "c"}
    batch = read(body, message_id="m-1")
    assert batch.batch is not None
    assert (batch.envelope, batch.malformed, batch.batch.tasks) == (
        None,
        None,
        [TaskEnvelope(task_id="order")],
    )
    assert (batch.task_id, batch.correlation_id) == ("batch:b-1", "c")
    assert batch.identity == DeliveryIdentity("m-1", "work", 0, 0)


@pytest.mark.parametrize("kind", [StatusEnvelope, WorkflowEnvelope])
def test_only_where_tasks_are_read_there_are_batches(kind: Any) -> None:
    incoming = read({"batch_id": "b-1", "tasks": [{"task_id": "order"}]}, kind)
    assert incoming.batch is None
    assert incoming.malformed is not None


def test_a_batch_that_cannot_be_read_is_told_of_by_its_header() -> None:
    incoming = read({"tasks": 7}, headers={"x-relayna-batch-id": "b-1"})
    assert incoming.task_id == "batch:b-1"
    assert "BatchTaskEnvelope" in str(incoming.malformed)


def test_a_status_must_say_which() -> None:
    assert read({"task_id": "order"}, StatusEnvelope).malformed is not None


@given(
    st.binary(max_size=80) | st.recursive(st.none() | texts, st.lists).map(json.dumps),
    st.dictionaries(texts, st.none() | texts | st.integers() | st.binary()),
    st.none() | texts,
    st.sampled_from([TaskEnvelope, StatusEnvelope, WorkflowEnvelope]),
)
def test_reading_never_raises(
    body: bytes | str, headers: dict[str, Any], message_id: str | None, kind: Any
) -> None:
    raw = body.encode(errors="surrogatepass") if isinstance(body, str) else body
    incoming = read(raw, kind, headers=headers, message_id=message_id)
    assert incoming.task_id
    assert [incoming.envelope, incoming.malformed, incoming.batch].count(None) == 2


def test_derived_ids_are_pinned() -> None:
    # A release that derives others would publish twice what the one before had published once.
    assert derived_message_id(IDENTITY, "spawn", 0) == "5d42b63abe08c5b39422bbbdc8503ddf"
    assert batched_message_id("m-1", 0) == "6c534a1c9cbafe84bc4463eeee021854"


@given(
    st.lists(
        st.tuples(
            st.builds(DeliveryIdentity, texts, texts, st.integers(0, 3), st.integers(0, 3)),
            st.lists(texts | st.integers(0, 9), min_size=1, max_size=3).map(tuple),
        ),
        unique=True,
        max_size=20,
    )
)
def test_different_things_have_different_ids(
    things: list[tuple[DeliveryIdentity, tuple[str | int, ...]]],
) -> None:
    ids = [derived_message_id(identity, *label) for identity, label in things]
    assert len(set(ids)) == len(things)
    assert ids == [derived_message_id(identity, *label) for identity, label in things]
