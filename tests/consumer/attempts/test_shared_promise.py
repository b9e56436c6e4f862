"""What attempts that wait together are told."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from relayna.consumer.attempts.shared_promise import SharedPromise
from relayna.errors import RecorderClosed
from relayna.streams import MemoryLog, Recorder
from relayna.streams.sink import Durability

pytestmark = pytest.mark.anyio


class AskedSink(Recorder):
    """Answers what it is told to, once it may."""

    def __init__(self, *answers: Durability | Exception) -> None:
        super().__init__(MemoryLog())
        self.answers = list(answers)
        self.asked = 0
        self.shown = 0
        self.may_answer = anyio.Event()

    async def durable(self, *, budget_seconds: float = 0.25) -> Durability:
        if not budget_seconds:
            self.shown += 1
            return Durability.PENDING
        self.asked += 1
        answer = self.answers.pop(0)
        await self.may_answer.wait()
        if isinstance(answer, Exception):
            raise answer
        return answer


async def told(sink: AskedSink, count: int) -> list[Durability | BaseException]:
    promise = SharedPromise(sink)
    sink.may_answer.set()
    return await asyncio.gather(*(promise.durable() for _ in range(count)), return_exceptions=True)


async def test_those_that_ask_together_are_one_question() -> None:
    sink = AskedSink(Durability.STORED)
    assert await told(sink, 50) == [Durability.STORED] * 50
    assert sink.asked == 1


async def test_who_asks_later_waits_for_a_promise_of_its_own() -> None:
    sink = AskedSink(Durability.STORED, Durability.SPOOLED)
    promise = SharedPromise(sink)
    early = asyncio.create_task(promise.durable())
    while not sink.asked:
        await anyio.lowlevel.checkpoint()
    late = asyncio.create_task(promise.durable())
    while sink.asked < 2:
        await anyio.lowlevel.checkpoint()
    sink.may_answer.set()
    assert (await early, await late) == (Durability.STORED, Durability.SPOOLED)


async def test_a_loss_is_told_to_one_of_them() -> None:
    sink = AskedSink(Durability.LOST, Durability.STORED)
    assert await told(sink, 3) == [Durability.LOST, Durability.STORED, Durability.STORED]


async def test_a_loss_is_told_to_one_that_still_waits() -> None:
    sink = AskedSink(Durability.LOST, Durability.STORED)
    promise = SharedPromise(sink)
    gone, *here = (asyncio.create_task(promise.durable()) for _ in range(3))
    while not sink.asked:
        await anyio.lowlevel.checkpoint()
    gone.cancel()
    sink.may_answer.set()
    assert await asyncio.gather(*here) == [Durability.LOST, Durability.STORED]


async def test_what_the_sink_raises_is_raised_to_each() -> None:
    answers = await told(AskedSink(RecorderClosed()), 2)
    assert [type(answer) for answer in answers] == [RecorderClosed, RecorderClosed]


async def test_what_is_to_be_shown_is_asked_for_once_and_before_those_who_wait() -> None:
    sink = AskedSink(Durability.STORED)
    promise = SharedPromise(sink)
    sink.may_answer.set()
    for _ in range(3):
        promise.show()
    assert (sink.shown, sink.asked) == (0, 0)
    assert await promise.durable() is Durability.STORED
    assert (sink.shown, sink.asked) == (1, 1)


async def test_one_that_waits_no_longer_takes_nobody_along() -> None:
    sink = AskedSink(Durability.STORED)
    promise = SharedPromise(sink)
    first, second = (asyncio.create_task(promise.durable()) for _ in range(2))
    while not sink.asked:
        await anyio.lowlevel.checkpoint()
    first.cancel()
    sink.may_answer.set()
    assert await second is Durability.STORED
    assert first.cancelled()
