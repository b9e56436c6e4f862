"""Calls of the driver, errands and paces: what is kept apart, finished, spaced."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import anyio
import pytest

from relayna.consumer.rabbitmq.calls import in_place, isolated
from relayna.consumer.rabbitmq.errands import Errands
from relayna.consumer.rabbitmq.failures import GivenUp, problem_of
from relayna.consumer.rabbitmq.pace import Pace
from relayna.streams.recording.backoff import Backoff

pytestmark = pytest.mark.anyio

Kept: TypeAlias = Callable[[Awaitable[Any]], Awaitable[Any]]

kept_apart = pytest.mark.parametrize("kept", [isolated, in_place])


async def fail(error: BaseException) -> None:
    raise error


@kept_apart
async def test_a_result_comes_back(kept: Kept) -> None:
    assert await kept(asyncio.sleep(0, "answer")) == "answer"


@kept_apart
async def test_an_error_comes_back_as_it_is(kept: Kept) -> None:
    with pytest.raises(ZeroDivisionError):
        await kept(fail(ZeroDivisionError()))


@pytest.mark.parametrize("error", [asyncio.CancelledError(), Exception()], ids=repr)
@kept_apart
async def test_what_the_driver_ends_is_given_up_and_not_cancelled(kept: Kept, error: BaseException) -> None:
    with pytest.raises(GivenUp):
        await kept(fail(error))


@kept_apart
async def test_cancelling_us_cancels_the_call(kept: Kept) -> None:
    cancelled, begun = anyio.Event(), anyio.Event()

    async def call() -> None:
        begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()

    async def waits() -> None:
        await kept(call())

    waiting = asyncio.create_task(waits())
    await begun.wait()
    waiting.cancel()
    await asyncio.wait({waiting})
    assert waiting.cancelled()
    await cancelled.wait()


async def test_what_the_driver_ends_in_a_task_that_was_to_end_before_is_given_up_all_the_same() -> None:
    async def shielded() -> None:
        with pytest.raises(asyncio.CancelledError):
            await anyio.sleep_forever()
        with pytest.raises(GivenUp):
            await in_place(fail(asyncio.CancelledError()))

    task = asyncio.create_task(shielded())
    await anyio.wait_all_tasks_blocked()
    task.cancel()
    await task


async def test_an_errand_outlives_whoever_sent_it() -> None:
    errands, go_on, done = Errands(), anyio.Event(), anyio.Event()

    async def errand() -> None:
        await go_on.wait()
        done.set()

    waiting = asyncio.create_task(errands.run(errand()))
    await anyio.wait_all_tasks_blocked()
    waiting.cancel()
    await asyncio.wait({waiting})
    assert waiting.cancelled()
    go_on.set()
    await errands.all_done()
    assert done.is_set()


async def test_tries_are_a_second_apart_and_further_after_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    now = 100.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        pauses.append(seconds)
        now += seconds

    monkeypatch.setattr("relayna.consumer.rabbitmq.pace.anyio.sleep", sleep)
    monkeypatch.setattr("relayna.consumer.rabbitmq.pace.anyio.current_time", lambda: now)
    pace = Pace(Backoff(first_seconds=1.0, longest_seconds=5.0, draw=lambda: 1.0))
    await pace.next_try()
    for _ in range(4):
        pace.failed()
        await pace.next_try()
    pace.succeeded()
    now += 0.25
    await pace.next_try()
    now += 60
    await pace.next_try()
    assert pauses == [0.0, 1.0, 2.0, 4.0, 5.0, 0.75, 0.0]


def test_a_refusal_that_quotes_the_user_is_masked() -> None:
    error = ConnectionError("NOT_ALLOWED - access to vhost '/x' refused for user 'ada'.")
    assert problem_of(error, user="ada") == "NOT_ALLOWED - access to vhost '/x' refused for user '***'"


def test_an_error_without_words_is_named() -> None:
    assert problem_of(ConnectionResetError()) == "ConnectionResetError"
