"""Bodies have one meaning or none."""

from __future__ import annotations

import json
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from starlette.requests import Request
from starlette.types import Message

from relayna.api.caller import Caller
from relayna.api.endpoint import ApiRequest
from relayna.api.problems import RequestRefused
from relayna.api.query import QueryParameters
from relayna.api.strict_json import body_of, decode_strictly

pytestmark = pytest.mark.anyio


class Inner(Struct, forbid_unknown_fields=True):
    """A part."""

    name: str = ""


class Order(Struct, forbid_unknown_fields=True):
    """What the tests send."""

    reason: str
    count: int = 1
    weight: float = 1.0
    parts: list[Inner] = []
    extra: dict[str, object] = {}


class Lenient(Struct):
    """Takes anything."""


def refused(body: bytes) -> tuple[int, str, str]:
    """The status and code that the body is refused with, and what is said."""
    with pytest.raises(RequestRefused) as refusal:
        decode_strictly(body, Order)
    return refusal.value.status, refusal.value.code, refusal.value.detail


def test_a_body_is_a_struct() -> None:
    body = b' {"reason": "it\\u0020works", "count": 2, "parts": [{"name": "a"}], "extra": {"a": [1, null]}} '
    assert decode_strictly(body, Order) == Order("it works", 2, 1.0, [Inner("a")], {"a": [1, None]})


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b'{"reason":"x"', b'{"reason":"x"} {}', b"reason=x", b"{'reason':'x'}", b'{"reason":"x",}',
        b'{"reason":"x","weight":NaN}', b'{"reason":"x","weight":Infinity}', b'{"reason":"\xff"}', b"\xff\xfe{\0}\0",
        b'\xef\xbb\xbf{"reason":"x"}', b'{"reason":"\\ud800"}', b'{"reason":"a\nb"}', b'{"reason":"x"}\0', b"// x",
        b'{"reason":"' + b'\\"' * 30_000,
    ],
)  # fmt: skip
def test_what_is_no_json(body: bytes) -> None:
    assert refused(body)[:2] == (400, "invalid_json")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"{}", "reason"),
        (b"[]", "array"),
        (b"null", "null"),
        (b'"x"', "str"),
        (b'{"reason":1}', "$.reason"),
        (b'{"reason":null}', "$.reason"),
        (b'{"reason":"x","count":"1"}', "$.count"),
        (b'{"reason":"x","count":1.5}', "$.count"),
        (b'{"reason":"x","count":' + b"9" * 60_000 + b"}", "$.count"),
        (b'{"reason":"x","weight":1e999}', "$.weight"),
        (b'{"reason":"x","Count":1}', "Count"),
        (b'{"reason":"x","parts":[{"nam":""}]}', "$.parts[0]"),
        (b'{"reason":"x","reason":"y"}', "'reason' is given more than once"),
        (b'{"reason":"x","re\\u0061son":"y"}', "'reason' is given more than once"),
        (b'{"reason":"x","extra":{"a":1,"a":1}}', "'a' is given more than once"),
        (b'{"reason":"x","extra":' + b'{"a":' * 31 + b"1" + b"}" * 31 + b"}", ""),
        (b'{"reason":"x","extra":{"a":' + b"[" * 32_000, "nested deeper than 32"),
        (b"[" * 64_000, "nested deeper than 32"),
    ],
)  # fmt: skip
def test_json_that_is_not_what_is_taken(body: bytes, named: str) -> None:
    if not named:  # 32 levels are not too many
        assert decode_strictly(body, Order).reason == "x"
        return
    status, code, said = refused(body)
    assert (status, code) == (422, "invalid_body")
    assert named in said
    assert len(said) < 300


def test_brackets_in_texts_are_no_levels() -> None:
    text = '[{"\\' * 1_000
    assert decode_strictly(json.dumps({"reason": text}).encode(), Order).reason == text


def test_only_structs_that_forbid_unknown_fields_are_read() -> None:
    with pytest.raises(TypeError, match="Lenient must be a Struct with forbid_unknown_fields"):
        decode_strictly(b"{}", Lenient)


@given(st.binary(max_size=200) | st.text(alphabet='{}[]",:\\u0d81eE+-. \n1re', max_size=60).map(str.encode))
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    with suppress(RequestRefused):
        order = decode_strictly(body, Order)
        assert decode_strictly(msgspec.json.encode(order), Order) == order


def sending(body: bytes, *content_types: str) -> ApiRequest:
    """A request with this body and these Content-Type headers."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop(0)

    headers = [(b"content-type", value.encode()) for value in content_types]
    request = Request({"type": "http", "method": "POST", "query_string": b"", "headers": headers}, receive)
    return ApiRequest(request, Caller(name="tester", scopes=frozenset()), QueryParameters.of(request))


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
    ],
)
async def test_a_body_says_that_it_is_json(content_type: str) -> None:
    assert await body_of(sending(b'{"reason":"x"}', content_type), Order) == Order("x")


@pytest.mark.parametrize(
    "content_types",
    [
        (), ("",), ("text/plain",), ("application/x-www-form-urlencoded",), ("multipart/form-data; boundary=x",),
        ("application/json; charset=utf-16",), ("application/json, text/plain",), ("application/jsonx",),
        ("application/json; x=y",), ("text/json",), ("application/json", "application/json"),
    ],
)  # fmt: skip
async def test_a_body_that_does_not_is_not_read(content_types: tuple[str, ...]) -> None:
    with pytest.raises(RequestRefused) as refusal:
        await body_of(sending(b'{"reason":"x"}', *content_types), Order)
    assert (refusal.value.status, refusal.value.code) == (415, "not_json")
