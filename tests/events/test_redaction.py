"""What is stored of a fact has no secrets in it: in maps, in texts and in the bodies of dead letters."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from events.event_strategies import EVENT_CLASSES, bodies, event_of, json_values
from hypothesis import given
from hypothesis import strategies as st

from relayna.events import (
    DEFAULT_REDACTION,
    DeadLetterRecorded,
    OperatorActed,
    Redaction,
    StatusPublished,
    TaskHandlerFailed,
    TaskMessageReceived,
    TaskMessageRejected,
    encode_event,
    redact_keys,
    redaction_of,
)
from relayna.events.cut import BODY_LIMIT_BYTES
from relayna.events.redaction import masked_by, redacted

SECRET = "hunter2hunter2"


def letter_of(body: bytes, **fields: Any) -> DeadLetterRecorded:
    return DeadLetterRecorded(
        dead_letter_id="d", body=body, body_size=len(body), body_sha256="digest", **fields
    )


def test_texts_are_masked() -> None:
    text = f"no answer from amqp://app:{SECRET}@mq/"
    for body in (
        TaskHandlerFailed(exception_message=text),
        TaskHandlerFailed(traceback=text),
        StatusPublished(status="failed", message=text),
        TaskMessageRejected(reason=text),
        DeadLetterRecorded(dead_letter_id="d", exception_message=text),
        OperatorActed(action="replay", reason=text, problem=text),
    ):
        assert SECRET.encode() not in encode_event(event_of(body), DEFAULT_REDACTION)
        assert SECRET.encode() in encode_event(event_of(body))


@pytest.mark.parametrize("event_type", EVENT_CLASSES, ids=lambda event_type: event_type.__name__)
def test_every_field_of_free_text_is_looked_through(event_type: Any) -> None:
    """A new field that people write into must be named like one of those that are masked."""
    free = {"message", "reason", "exception_message", "problem", "label", "traceback"}
    known = {
        "status", "stage", "origin_stage", "task_type", "exception_type", "sample_kind", "outcome", "routing_key",
        "exchange", "queue_name", "source_queue_name", "consumer_name", "content_type", "batch_id", "message_id",
        "child_task_id", "dead_letter_id", "claim_id", "claimed_by", "replayed_by", "body_sha256", "action", "action_id",
        "target_id", "actor", "via", "kind", "variant", "group_key", "input_hash", "output_hash", "storage_key",
        "handler", "name", "type", "data_id", "span_id", "parent_span_id", "trace_id", "linked_to", "sources",
        "asset_guid", "user_id", "rule",
    }  # fmt: skip
    texts = {
        field.name
        for field in msgspec.structs.fields(event_type)
        if "str" in str(field.type) and "dict" not in str(field.type)
    }
    assert texts <= free | known


@given(body=bodies)
def test_any_body_can_be_redacted_and_once_is_enough(body: Any) -> None:
    once = redacted(body, DEFAULT_REDACTION)
    assert type(once) is type(body)
    assert redacted(once, DEFAULT_REDACTION) == once


def test_what_holds_no_text_is_not_touched() -> None:
    body = TaskMessageReceived(queue_name="work")
    assert redacted(body, DEFAULT_REDACTION) is body


@pytest.mark.parametrize(
    "meta",
    [
        {"url": f"https://app:{SECRET}@example.org"},
        {"note": [f"Bearer {SECRET}"]},
        {f"redis://:{SECRET}@cache": 1},
        {"headers": [["authorization", SECRET], ["x", "y"]]},
        {"headers": [[b"authorization", SECRET]]},
        {"env": [{"name": "DB_PASSWORD", "value": SECRET}]},
        {"tags": [{"key": "token", "value": [SECRET]}]},
        {"credentials": {"user": "app", "key": SECRET}},
        {"json": f'{{"password": "{SECRET}"}}'},
    ],
)  # fmt: skip
def test_maps_are_looked_through(meta: dict[str, Any]) -> None:
    stored = encode_event(event_of(StatusPublished(status="x", meta=meta)), DEFAULT_REDACTION)
    assert SECRET.encode() not in stored
    assert b"[redacted]" in stored


def test_a_function_of_one_s_own_decides_of_maps_alone() -> None:
    body = StatusPublished(status="x", message=f"password={SECRET}", meta={"a": 1, "b": 2})
    stored = encode_event(event_of(body), lambda key, value: "gone" if key == "a" else value)
    assert b"gone" in stored
    assert SECRET.encode() in stored


def test_words_are_added_to_the_usual_ones() -> None:
    assert redaction_of([]) is DEFAULT_REDACTION
    more = redaction_of(["ssn"])
    assert [more(key, SECRET) for key in ("ssn", "password", "total")] == ["[redacted]", "[redacted]", SECRET]
    assert redact_keys(["ssn"])("password", SECRET) == SECRET


def test_texts_for_logs_are_masked_the_same_way() -> None:
    assert masked_by(DEFAULT_REDACTION, f"token={SECRET}") == "token=[redacted]"
    assert masked_by(None, "token=x") == "token=x"
    assert masked_by(lambda key, value: value, "token=x") == "token=x"


@pytest.mark.parametrize(
    "body",
    [
        b'{"task_id": "T", "payload": {"password": "SECRET", "total": 7}}',
        b'{"payload": [{"name": "token", "value": "SECRET"}]}',
        b'{"payload": {"pass\\u0077ord": "SECRET"}}',
        b'{"payload": {"password": "SECRET", "password": "SECRET"}, "payload": 1}',
        b'{"payload": "amqp://app:SECRET@mq"}',
        b'["authorization", "SECRET"]',
        b"user=app&password=SECRET&page=2",
        b"<order><password>SECRET</password></order>",
        b'{"broken": "json", "password": "SECRET"',
        b'{"credentials": {"k": ["SECRET"',
        b'{"a": ' * 70 + b'{"password": "SECRET"}' + b"}" * 70,
    ],
)
def test_bodies_lose_their_secrets_and_say_so(body: bytes) -> None:
    body = body.replace(b"SECRET", SECRET.encode())
    stored = redacted(letter_of(body), DEFAULT_REDACTION)
    assert stored.body is not None
    assert SECRET.encode() not in stored.body
    assert (stored.body_redacted, stored.body_size, stored.body_sha256) == (True, len(body), None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"task_id": "T",  "payload": {"total": 7, "big": 123456789012345678901234567890}}',
        b"plain",
        '"é"'.encode(),
    ],
)
def test_a_body_without_secrets_is_kept_byte_for_byte(body: bytes) -> None:
    letter = letter_of(body)
    assert redacted(letter, DEFAULT_REDACTION) is letter


@pytest.mark.parametrize("body", [b"\xff\x00", b"\x1f\x8b" + b"x" * 100, b"\xff" * (BODY_LIMIT_BYTES + 1)])
def test_a_body_that_nobody_can_look_through_is_not_kept(body: bytes) -> None:
    stored = redacted(letter_of(body), DEFAULT_REDACTION)
    assert (stored.body, stored.body_redacted, stored.body_size) == (None, True, len(body))


def test_of_a_large_body_the_beginning_is_looked_through() -> None:
    body = b'{"password": "%s", "text": "%s"}' % (SECRET.encode(), "é".encode() * BODY_LIMIT_BYTES)
    stored = encode_event(event_of(letter_of(body)), DEFAULT_REDACTION)
    assert SECRET.encode() not in stored
    assert len(stored) <= BODY_LIMIT_BYTES


def test_bodies_can_be_kept_whole_on_request() -> None:
    letter = letter_of(b'{"password": "x"}', headers={"authorization": "x"})
    kept = redacted(letter, Redaction(bodies=False))
    assert (kept.body, kept.body_redacted) == (letter.body, False)


@given(value=json_values)
def test_json_without_secrets_is_the_same_object(value: Any) -> None:
    assert Redaction([]).inside(value) == value or "[redacted]" in str(Redaction([]).inside(value))
    clean = DEFAULT_REDACTION.inside(value)
    assert DEFAULT_REDACTION.inside(clean) == clean


@given(value=json_values, depth=st.integers(0, 40), in_list=st.booleans())
def test_secrets_are_found_at_every_depth(value: Any, depth: int, in_list: bool) -> None:
    nested: Any = {"api_token": [SECRET, {"inner": SECRET}], "other": value}
    for _ in range(depth):
        nested = {"inner": [nested] if in_list else nested}
    assert SECRET not in repr(DEFAULT_REDACTION.inside(nested))
