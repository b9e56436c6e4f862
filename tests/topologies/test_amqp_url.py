"""AMQP URLs: what no client could use is refused, and no secret is ever repeated."""

from __future__ import annotations

import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.errors import InvalidTopology
from relayna.topologies.amqp_url import check_amqp_url, masked_amqp_url

SECRET = "hunter2"

GOOD = [
    "amqp://broker",
    "amqps://broker:5671/%2F",
    "amqp://ada:hunter2@[::1]:5672/orders?heartbeat=30",
    "amqp://ada:hunter%2F2@broker",
]

BAD = [
    f"http://ada:{SECRET}@broker",
    f"ada:{SECRET}@broker",
    f"amqp://ada:{SECRET}@",
    f"amqp://ada:{SECRET}@broker:port",
    f"amqp://ada:{SECRET}@broker:99999",
    f"amqp://ada:{SECRET}@[::1",
    f"amqp://ada:{SECRET}@bro\u2100ker",
    f"amqp://ada:1/{SECRET}@broker",
    f"amqp://ada:1?{SECRET}@broker",
    f"amqp://ada:1#{SECRET}@broker",
    "",
    None,
    7,
]


@pytest.mark.parametrize("url", GOOD)
def test_good_ones_pass(url: str) -> None:
    check_amqp_url("rabbitmq_url", url)


@pytest.mark.parametrize("url", BAD)
def test_bad_ones_are_refused_without_their_secret(url: object) -> None:
    with pytest.raises(InvalidTopology) as refused:
        check_amqp_url("rabbitmq_url", url)
    told = "".join(traceback.format_exception(refused.value))
    assert refused.value.field == "rabbitmq_url"
    assert SECRET not in str(refused.value)
    assert refused.value.__context__ is None, told
    assert SECRET not in masked_amqp_url(url)


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("amqp://broker:5672/orders", "amqp://broker:5672/orders"),
        ("amqp://ada@broker", "amqp://***@broker"),
        ("amqps://ada:p%40ss@broker/orders?password=x#y", "amqps://***@broker/orders"),
        ("amqp://a:b@c:1/d@e", "***"),
        (None, "***"),
    ],
)
def test_masked(url: object, masked: str) -> None:
    assert masked_amqp_url(url) == masked


@given(password=st.text(st.characters(), min_size=1, max_size=20), query=st.sampled_from(["", "?x=1"]))
def test_no_password_is_shown_whatever_it_holds(password: str, query: str) -> None:
    marked = f"{password}\N{SNOWMAN}{password}"
    assert "\N{SNOWMAN}" not in masked_amqp_url(f"amqp://ada:{marked}@broker:5672/orders{query}")
