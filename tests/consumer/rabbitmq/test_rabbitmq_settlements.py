"""What is sent for deliveries that are settled together. Needs no broker."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from relayna.consumer.broker import Settlement
from relayna.consumer.rabbitmq.settlements import Order, orders_for

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
