"""What is sent for deliveries that are settled together. Needs no broker."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.consumer.broker import Settlement
from relayna.consumer.rabbitmq.settlements import Order, Settlements, orders_for

ACK, RELEASE, REJECT = Settlement.ACK, Settlement.RELEASE, Settlement.REJECT

handed_out = st.dictionaries(st.integers(1, 60), st.sampled_from([*Settlement, None]), max_size=30)
"""By tag: what was asked for, or nothing yet."""


def settled_by(orders: list[Order], unsettled: set[int]) -> dict[int, Settlement]:
    """What a broker makes of them. Fails where RabbitMQ would close the channel."""
    ends: dict[int, Settlement] = {}
    for order in orders:
        assert order.tag in unsettled
        tags = {tag for tag in unsettled if tag <= order.tag} if order.is_multiple else {order.tag}
        ends |= dict.fromkeys(tags, order.settlement)
        unsettled -= tags
    return ends


@given(handed_out)
def test_it_settles_what_was_asked_for_and_nothing_else(tags: dict[int, Settlement | None]) -> None:
    asked = {tag: settlement for tag, settlement in tags.items() if settlement is not None}
    assert settled_by(orders_for(asked, tags.keys() - asked.keys()), set(tags)) == asked


def test_those_before_the_first_unsettled_one_are_one_ack() -> None:
    asked = dict.fromkeys((7, 2, 1, 5), ACK)
    assert orders_for(asked, [6, 9]) == [Order(5, ACK, is_multiple=True), Order(7, ACK)]


def test_what_goes_back_goes_first() -> None:
    asked = {1: ACK, 2: RELEASE, 3: REJECT, 4: ACK}
    assert orders_for(asked, []) == [Order(2, RELEASE), Order(3, REJECT), Order(4, ACK, is_multiple=True)]


class StubbornChannel:
    """Writes what it is told, but for what it has no room for."""

    def __init__(self, *, fails: dict[int, Exception]) -> None:
        self._fails = fails
        self.unsettled: set[int] = set()
        self.ends: dict[int, Settlement] = {}

    async def underlying(self) -> Any:  # Any: as much of the driver's channel as is used
        return self

    async def basic_ack(self, tag: int, *, multiple: bool, wait: bool) -> None:
        self._settle({one for one in self.unsettled if one < tag and multiple} | {tag}, ACK)

    async def basic_reject(self, tag: int, *, requeue: bool, wait: bool) -> None:
        self._settle({tag}, RELEASE if requeue else REJECT)

    def _settle(self, tags: set[int], end: Settlement) -> None:
        for tag in tags & self._fails.keys():
            raise self._fails.pop(tag)
        self.ends |= dict.fromkeys(tags, end)
        self.unsettled -= tags


def handing_out(channel: StubbornChannel, *tags: int) -> Settlements:
    settlements = Settlements(channel.underlying)
    for tag in tags:
        channel.unsettled.add(tag)
        settlements.handed_out(tag)
    return settlements


@pytest.mark.anyio
async def test_what_could_not_be_given_back_is_acknowledged_with_nobody() -> None:
    channel = StubbornChannel(fails={3: ConnectionError("no room")})
    settlements = handing_out(channel, 3, 4, 5)

    assert isinstance(await settlements.settle(3, RELEASE), ConnectionError)
    assert await asyncio.gather(*(settlements.settle(tag, ACK) for tag in (4, 5))) == [None, None]
    assert (channel.ends, channel.unsettled) == ({4: ACK, 5: ACK}, {3})


@pytest.mark.anyio
async def test_whatever_is_raised_is_told_to_all_who_wait() -> None:
    error = LookupError("of the driver")
    settlements = handing_out(StubbornChannel(fails={2: error}), 1, 2)
    with anyio.fail_after(5):
        told = await asyncio.gather(*(settlements.settle(tag, ACK) for tag in (1, 2)))
    assert told == [error, error]
