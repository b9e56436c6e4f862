"""Bodies under other names: what is written is read, and what is the user's own is left alone."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.consumer.messages.envelope_codec import OWN_NAMES, EnvelopeCodec
from relayna.consumer.messages.envelopes import (
    BatchTaskEnvelope,
    MalformedMessage,
    StatusEnvelope,
    TaskEnvelope,
    WorkflowEnvelope,
    encode_body,
    read_batch,
    read_body,
)
from relayna.consumer.messages.statuses import read_status
from relayna.topologies import ContractAliasConfig
from relayna.topologies.contract_aliases import ENVELOPE_FIELDS

JOBS = EnvelopeCodec(ContractAliasConfig(field_aliases={"task_id": "job_id", "payload": "data"}))

texts = st.text(st.characters(codec="utf-8"), max_size=8)
ids = texts.filter(bool)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(ENVELOPE_FIELDS) | texts, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
metas = st.dictionaries(st.sampled_from(ENVELOPE_FIELDS) | texts, values, max_size=3)
maybe = st.none() | texts


@st.composite
def configs(draw: st.DrawFn) -> ContractAliasConfig:
    """Any config that is accepted: strange names, and own names that are free because their field has another."""
    named = draw(st.lists(st.sampled_from(ENVELOPE_FIELDS), unique=True))
    free = st.sampled_from(named) | ids.filter(lambda name: name not in ENVELOPE_FIELDS) if named else ids
    aliases = draw(st.lists(free, min_size=len(named), max_size=len(named), unique=True))
    return ContractAliasConfig(field_aliases=dict(zip(named, aliases, strict=True)))


tasks = st.builds(
    TaskEnvelope, task_id=ids, payload=values, task_type=maybe, correlation_id=maybe, parent_task_id=maybe,
    session_id=maybe, meta=metas,
)  # fmt: skip
statuses = st.builds(
    StatusEnvelope, task_id=ids, status=texts, message=maybe, meta=metas, timestamp=maybe, stage=maybe
)
steps = st.builds(
    WorkflowEnvelope,
    task_id=ids,
    message_id=maybe,
    stage=maybe,
    origin_stage=maybe,
    payload=values,
    meta=metas,
)
batches = st.builds(
    BatchTaskEnvelope, batch_id=ids, tasks=st.lists(tasks, min_size=1, max_size=3), correlation_id=maybe, meta=metas
)  # fmt: skip


@given(configs(), tasks | statuses | steps)
def test_what_is_encoded_is_read(
    config: ContractAliasConfig, envelope: TaskEnvelope | StatusEnvelope | WorkflowEnvelope
) -> None:
    codec = EnvelopeCodec(config)
    assert codec.read(codec.encode(envelope), type(envelope)) == envelope
    if not any(name in config.field_aliases.values() for name in ENVELOPE_FIELDS):
        assert codec.read(encode_body(envelope), type(envelope)) == envelope


@given(configs(), batches)
def test_a_batch_is_read_with_every_task_in_it(config: ContractAliasConfig, batch: BatchTaskEnvelope) -> None:
    codec = EnvelopeCodec(config)
    assert read_batch(codec.plain(codec.encode(batch))) == batch


@given(configs(), st.binary(max_size=60) | values.map(lambda value: json.dumps(value).encode()))
def test_other_names_make_no_body_raise_anything_new(config: ContractAliasConfig, body: bytes) -> None:
    plain = EnvelopeCodec(config).plain(body)
    for kind in (TaskEnvelope, StatusEnvelope, WorkflowEnvelope):
        try:
            read_body(plain, kind)
        except MalformedMessage:
            continue


def test_without_other_names_bodies_are_not_looked_at() -> None:
    body = b'{ "task_id" : "order" }'
    assert OWN_NAMES.plain(body) is body
    assert EnvelopeCodec(ContractAliasConfig(field_aliases={"task_id": "task_id"})).plain(body) is body


def test_only_the_envelopes_own_fields_are_renamed() -> None:
    inner = {"task_id": "mine", "job_id": 1, "payload": {"data": [{"payload": 2}]}}
    body = JOBS.encode(TaskEnvelope(task_id="order", payload=inner, meta=inner))
    assert json.loads(body) == {"job_id": "order", "data": inner, "meta": inner}
    assert JOBS.read(body, TaskEnvelope) == TaskEnvelope(task_id="order", payload=inner, meta=inner)


def test_a_payload_is_carried_byte_for_byte() -> None:
    raw = msgspec.Raw(b'{"total":1.50,"big":123456789012345678901234567890}')
    assert JOBS.encode(TaskEnvelope(task_id="order", payload=raw)) == b'{"job_id":"order","data":%s}' % raw


@pytest.mark.parametrize(
    ("body", "task_id"),
    [
        (b'{"job_id":"order"}', "order"),
        (b'{"task_id":"order"}', "order"),
        (b'{"task_id":"stranger","job_id":"order"}', "order"),
        (b'{"job_id":"order","task_id":"stranger"}', "order"),
        (b'{"job_id":"order","task_id":7}', "order"),
    ],
)
def test_both_names_are_understood_and_the_other_one_counts(body: bytes, task_id: str) -> None:
    assert JOBS.read(body, TaskEnvelope).task_id == task_id
    status = body[:-1] + b',"status":"done"}'
    assert read_status(JOBS.plain(status))[0].task_id == task_id


def test_fields_may_swap_their_names() -> None:
    swapped = EnvelopeCodec(
        ContractAliasConfig(field_aliases={"task_id": "session_id", "session_id": "task_id"})
    )
    task = TaskEnvelope(task_id="order", session_id="run")
    assert json.loads(swapped.encode(task)) == {"session_id": "order", "task_id": "run"}
    assert swapped.read(swapped.encode(task), TaskEnvelope) == task


@pytest.mark.parametrize("tasks", [b"7", b'[1,{"job_id":"a"}]', b'{"job_id":"a"}', b"null"])
def test_tasks_that_are_no_tasks_are_a_malformed_batch(tasks: bytes) -> None:
    plain = JOBS.plain(b'{"batch_id":"b","tasks":%s}' % tasks)
    with pytest.raises(MalformedMessage, match="no BatchTaskEnvelope"):
        read_batch(plain)


@pytest.mark.parametrize("payload", [object(), {1, object()}])
def test_payloads_that_json_cannot_hold_are_refused(payload: object) -> None:
    with pytest.raises(TypeError):
        JOBS.encode(TaskEnvelope(task_id="order", payload=payload))


def test_every_field_of_every_envelope_can_have_another_name() -> None:
    envelopes: tuple[Any, ...] = (TaskEnvelope, BatchTaskEnvelope, StatusEnvelope, WorkflowEnvelope)
    assert {name for one in envelopes for name in one.__struct_fields__} == set(ENVELOPE_FIELDS)
