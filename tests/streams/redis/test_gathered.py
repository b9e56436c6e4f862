"""Requests that are asked at the same time: in one exchange, each answered by its own replies."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest

from relayna.errors import LogNotOpen, StoreUnreachable
from relayna.streams.redis.client import Reply
from relayna.streams.redis.failures import Failed
from relayna.streams.redis.gathered import GatheredRequests
from relayna.streams.redis.requests import Request

pytestmark = pytest.mark.anyio


def request(name: str) -> Request:
    return Request((("GET", name),), name)


class Echo:
    """Answers each request by its key, when it may."""

    def __init__(self) -> None:
        self.exchanges: list[int] = []
        self.may_answer = anyio.Event()
        self.may_answer.set()

    async def exchange(self, requests: Sequence[Request]) -> list[Reply]:
        self.exchanges.append(len(requests))
        await self.may_answer.wait()
        return [str(request.key).encode() for request in requests]


async def test_what_is_asked_at_one_moment_travels_together() -> None:
    echo, answers = Echo(), dict[int, list[Reply]]()
    gathered = GatheredRequests(lambda: echo)

    async def ask(number: int) -> None:
        for turn in range(3):
            names = [f"{number}.{turn}.{one}" for one in range(number % 3)]
            answers[number] = await gathered.exchange([request(name) for name in names])
            assert answers[number] == [name.encode() for name in names]

    async with anyio.create_task_group() as together:
        for number in range(20):
            together.start_soon(ask, number)

    assert len(answers) == 20
    assert sum(echo.exchanges) == 3 * sum(number % 3 for number in range(20))
    assert len(echo.exchanges) <= 6


async def test_who_is_alone_is_answered_as_ever() -> None:
    echo = Echo()
    gathered = GatheredRequests(lambda: echo)

    assert [await gathered.exchange([request(name)]) for name in "ab"] == [[b"a"], [b"b"]]
    assert echo.exchanges == [1, 1]


async def test_a_carrier_that_is_cancelled_leaves_the_others_told() -> None:
    echo, answers = Echo(), list[list[Reply]]()
    echo.may_answer = anyio.Event()
    gathered = GatheredRequests(lambda: echo)
    carrier = anyio.CancelScope()

    async def carry() -> None:
        with carrier:
            await gathered.exchange([request("a")])

    async def ask() -> None:
        answers.append(await gathered.exchange([request("b"), request("c")]))

    async with anyio.create_task_group() as together:
        together.start_soon(carry)
        together.start_soon(ask)
        while not echo.exchanges:
            await anyio.lowlevel.checkpoint()
        carrier.cancel()
    echo.may_answer.set()

    assert [isinstance(one, Failed) and one.outcome_unknown for one in answers[0]] == [True, True]
    assert await gathered.exchange([request("d")]) == [b"d"]


async def test_a_log_that_is_not_open_is_told_to_all() -> None:
    def closed() -> Echo:
        raise LogNotOpen("redis://somewhere", "the log is not open")

    gathered = GatheredRequests(closed)
    told: list[object] = []

    async def ask() -> None:
        try:
            told.append(await gathered.exchange([request("a")]))
        except StoreUnreachable as error:
            told.append(error)

    async with anyio.create_task_group() as together:
        for _ in range(3):
            together.start_soon(ask)

    assert len(told) == 3
    errors = [one[0].error if isinstance(one, list) and isinstance(one[0], Failed) else one for one in told]
    assert all(isinstance(one, LogNotOpen) for one in errors)
