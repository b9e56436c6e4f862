"""Values that JSON cannot hold are refused where they are given, with words that say where they are."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.consumer.messages.envelopes import (
    BatchTaskEnvelope,
    StatusEnvelope,
    TaskEnvelope,
    encode_body,
)
from relayna.consumer.messages.payloads import InvalidPayload
from relayna.errors import InvalidQuery
from relayna.ids import TaskId

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


class Size(msgspec.Struct):
    width: float


def task(payload: Any, task_id: str = "photo-7") -> TaskEnvelope:
    return TaskEnvelope(task_id=TaskId(task_id), payload=payload)


@pytest.mark.parametrize(
    ("payload", "place"),
    [
        (float("nan"), "payload = nan"),
        ({"width": float("nan")}, "payload['width'] = nan"),
        ({"sizes": [1.0, {"width": float("-inf")}]}, "payload['sizes'][1]['width'] = -inf"),
        ([(float("inf"),)], "payload[0][0] = inf"),
        (Size(width=float("nan")), "payload['width'] = nan"),
    ],
)
def test_a_number_that_json_has_not_is_refused_and_its_place_is_said(payload: Any, place: str) -> None:
    with pytest.raises(InvalidPayload) as caught:
        encode_body(task(payload))
    assert str(caught.value) == (
        f"Parameter 'payload': task 'photo-7' has {place}, which JSON cannot hold; "
        "give None, a number or a text"
    )


def test_a_status_tells_of_its_meta() -> None:
    with pytest.raises(InvalidPayload, match=r"'meta'.*'photo-7'"):
        encode_body(StatusEnvelope(task_id=TaskId("photo-7"), status="done", meta={"size": float("inf")}))


@pytest.mark.parametrize("payload", [object(), "\ud800", {(1, 2): 3}], ids=["object", "surrogate", "key"])
def test_what_is_no_json_is_refused_with_the_task_that_has_it(payload: Any) -> None:
    batch = BatchTaskEnvelope(batch_id="b", tasks=[task({"fine": None}, "photo-6"), task(payload)])
    for envelope in (task(payload), batch):
        with pytest.raises(InvalidPayload, match="'payload': JSON cannot hold that of task 'photo-7': "):
            encode_body(envelope)


def test_what_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InvalidPayload, match="recursion"):
        encode_body(task(endless))


def test_it_is_both_a_type_error_and_ours() -> None:
    assert issubclass(InvalidPayload, TypeError)
    assert issubclass(InvalidPayload, InvalidQuery)


def test_json_of_the_users_own_is_left_alone() -> None:
    assert encode_body(task({"raw": msgspec.Raw(b"null")})).endswith(b'{"raw":null}}')


@given(JSON)
def test_what_json_can_hold_arrives_as_it_was(payload: Any) -> None:
    assert msgspec.json.decode(encode_body(task(payload))).get("payload") == payload
