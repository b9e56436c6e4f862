"""What AMQP carries and what it does not."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.consumer.broker import Message
from relayna.consumer.memory.message import copy_headers, copy_message
from relayna.errors import InvalidMessage

SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text()
).filter(lambda value: not isinstance(value, str) or value.isprintable())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abc", max_size=5), VALUES, max_size=4))
def test_a_copy_is_equal_and_shares_nothing(headers: dict[str, Any]) -> None:
    copied = copy_headers(headers)
    assert copied == headers
    assert not mutable_parts(copied) & mutable_parts(headers)


def mutable_parts(value: object) -> set[int]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = {id(value)} if isinstance(value, dict | list) else set()
    return own.union(*map(mutable_parts, inner))


def test_values_come_out_as_amqp_would_give_them() -> None:
    moment = datetime(2026, 1, 1, 12, 0, 0, 999, tzinfo=UTC)
    copied = copy_headers({"at": moment, "raw": bytearray(b"x"), "price": Decimal("1.50")})
    assert copied == {"at": moment.replace(microsecond=0), "raw": b"x", "price": Decimal("1.50")}


@pytest.mark.parametrize(
    "value",
    [2**63, -(2**63) - 1, (1, 2), {1, 2}, date(2026, 1, 1), object(), "\ud800", {1: "x"}],
    ids=["large", "small", "tuple", "set", "date", "object", "surrogate", "number as key"],
)
@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: {"in": [value]}], ids=["flat", "nested"])
def test_a_value_without_an_amqp_type_is_refused_by_name(value: object, wrap: Any) -> None:
    with pytest.raises(InvalidMessage, match=r"odd|name is text"):
        copy_headers({"odd": wrap(value)})


@pytest.mark.parametrize(
    "name", ["n" * 129, "é" * 65, "\ud800", 7], ids=["long", "bytes", "surrogate", "int"]
)
def test_a_header_name_amqp_cannot_carry_is_refused(name: Any) -> None:
    with pytest.raises(InvalidMessage):
        copy_headers({name: 1})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("message_id", "x" * 256),
        ("correlation_id", "é" * 128),
        ("content_type", "x" * 256),
        ("message_id", "\ud800"),
        ("priority", 256),
        ("priority", -1),
        ("body", "text"),
    ],
)
def test_a_property_amqp_cannot_carry_is_refused(field: str, value: Any) -> None:
    with pytest.raises(InvalidMessage) as caught:
        copy_message(Message(**{"body": b"", field: value}))
    assert caught.value.field == field


def test_what_fits_exactly_is_carried() -> None:
    message = Message(body=b"x", message_id="é" * 127 + "x", headers={"n" * 128: 2**63 - 1}, priority=255)
    assert copy_message(message) == message
