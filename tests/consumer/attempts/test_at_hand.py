"""Copies of one message do not run side by side in one process."""

from __future__ import annotations

import anyio
import pytest

from relayna.consumer import Delivery, Message, TaskEnvelope
from relayna.consumer.attempts.at_hand import AtHand, Handling
from relayna.consumer.messages.incoming import Incoming, read_delivery
from relayna.ids import AttemptId

pytestmark = pytest.mark.anyio


def incoming(tag: int, *, message_id: str | None = "m", repeated: bool = False) -> Incoming[TaskEnvelope]:
    message = Message(body=b'{"task_id":"order"}', message_id=message_id)
    delivery = Delivery(
        message=message,
        queue_name="work",
        exchange="",
        routing_key="work",
        delivery_tag=tag,
        redelivered=repeated,
    )
    return read_delivery(delivery, TaskEnvelope, place="work")


def begin(at_hand: AtHand, tag: int, **changes: object) -> Handling:
    return at_hand.begin(AttemptId(f"a{tag}"), incoming(tag, **changes))  # type: ignore[arg-type]


def tags(handling: Handling) -> list[int]:
    return [one.incoming.delivery.delivery_tag for one in handling.earlier]


def test_a_copy_knows_who_began_before_it() -> None:
    at_hand = AtHand()
    first = begin(at_hand, 1)
    assert tags(first) == []
    assert tags(begin(at_hand, 2, repeated=True)) == [1]
    assert tags(begin(at_hand, 3)) == [2]  # 1 and 3 are only alike; 2 says that it is a copy
    assert tags(begin(at_hand, 4, repeated=True, message_id="other")) == []
    at_hand.end(first)
    assert tags(begin(at_hand, 5, repeated=True)) == [2, 3]


def test_messages_without_an_id_have_no_copies() -> None:
    at_hand = AtHand()
    first = begin(at_hand, 1, message_id=None)
    assert tags(begin(at_hand, 2, message_id=None, repeated=True)) == []
    at_hand.end(first)


def test_nothing_is_remembered_of_what_has_ended() -> None:
    at_hand = AtHand()
    for handling in [begin(at_hand, tag, repeated=True) for tag in range(3)]:
        at_hand.end(handling)
    assert not at_hand._handlings


@pytest.mark.parametrize(
    ("is_open", "decided", "waits"),
    [(True, False, True), (False, True, True), (True, True, True), (False, False, False)],
)
async def test_who_is_waited_for(is_open: bool, decided: bool, waits: bool) -> None:
    at_hand = AtHand()
    first = begin(at_hand, 1)
    first.decided = decided
    copy = begin(at_hand, 2, repeated=True)
    went_on = anyio.Event()

    async def wait() -> None:
        await copy.wait_for_earlier(lambda delivery: is_open)
        went_on.set()

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        assert went_on.is_set() is not waits
        at_hand.end(first)
    await copy.wait_for_earlier(lambda delivery: True)
