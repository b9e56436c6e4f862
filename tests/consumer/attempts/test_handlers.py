"""Handlers come in many kinds, and raise what they like: each delivery still gets its end."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Awaitable
from typing import Any

import anyio
import anyio.from_thread
import pytest
from consumer.bench import Bench, attempts

from relayna.consumer import RetryPolicy, TaskConsumer, TaskContext, TaskEnvelope

pytestmark = pytest.mark.anyio

handled: list[str] = []


@pytest.fixture(autouse=True)
def nothing_handled() -> None:
    handled.clear()


async def coroutine_function(task: TaskEnvelope, context: TaskContext) -> None:
    await anyio.lowlevel.checkpoint()
    handled.append("awaited")


def plain_around_a_coroutine(task: TaskEnvelope, context: TaskContext) -> Awaitable[None]:
    return coroutine_function(task, context)


def plain(task: TaskEnvelope, context: TaskContext) -> str:
    handled.append("threaded" if threading.current_thread() is not threading.main_thread() else "blocking")
    return "ignored"


class AsyncCallable:
    async def __call__(self, task: TaskEnvelope, context: TaskContext) -> None:
        await coroutine_function(task, context)

    async def method(self, task: TaskEnvelope, context: TaskContext) -> None:
        await coroutine_function(task, context)


class PlainCallable:
    def __call__(self, task: TaskEnvelope, context: TaskContext) -> None:
        plain(task, context)


async def with_an_option(option: str, task: TaskEnvelope, context: TaskContext) -> None:
    handled.append(option)


@pytest.mark.parametrize(
    ("handler", "how"),
    [
        (coroutine_function, "awaited"),
        (plain_around_a_coroutine, "awaited"),
        (AsyncCallable(), "awaited"),
        (AsyncCallable().method, "awaited"),
        (functools.partial(with_an_option, "option"), "option"),
        (plain, "threaded"),
        (PlainCallable(), "threaded"),
    ],
    ids=[
        "coroutine function",
        "plain around one",
        "callable",
        "method",
        "partial",
        "plain",
        "plain callable",
    ],
)
async def test_handlers_of_every_kind(handler: Any, how: str) -> None:
    async with Bench() as bench:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=handler)
        await bench.work_off(consumer, publish=lambda: bench.client.publish_task("order"))
        assert handled == [how]
        assert attempts(await bench.graph("order")) == [("acked", "succeeded")]


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("even this fails")


async def cancelled_elsewhere() -> None:
    other = asyncio.ensure_future(asyncio.Event().wait())
    other.cancel()
    await other


async def raising(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (lambda: raising(ValueError("no")), "ValueError"),
        (lambda: raising(Mute()), "Mute"),
        (lambda: raising(ExceptionGroup("both", [ValueError(), KeyError()])), "ExceptionGroup"),
        (cancelled_elsewhere, "CancelledError"),
        (lambda: raising(BaseExceptionGroup("one", [asyncio.CancelledError()])), "CancelledError"),
        (lambda: raising(StopAsyncIteration()), "StopAsyncIteration"),
    ],
)
async def test_whatever_a_handler_raises_is_its_failure(act: Any, told: str) -> None:
    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        handled.append(task.task_id)
        if task.task_id == "odd":
            await act()

    async with Bench() as bench:
        consumer = TaskConsumer(
            rabbitmq=bench.client, handler=handle, retry_policy=RetryPolicy(max_retries=0), prefetch=1
        )
        async with bench.working(consumer):
            for task_id in ("odd", "next"):
                await bench.client.publish_task(task_id)
            await bench.settled()
        assert handled == ["odd", "next"]
        graph = await bench.graph("odd")
        assert attempts(graph) == [("dead_lettered", "dead_lettered")]
        [attempt] = [node for node in graph.nodes if node.kind == "task_attempt"]
        assert attempt.annotations["exception_type"] == told
        assert not bench.counters


async def test_more_threads_than_anyio_would_give() -> None:
    together = 45
    barrier = threading.Barrier(together)

    def handle(task: TaskEnvelope, context: TaskContext) -> None:
        barrier.wait(timeout=10)

    async with Bench() as bench:
        consumer = TaskConsumer(
            rabbitmq=bench.client, handler=handle, prefetch=together, retry_policy=RetryPolicy(max_retries=0)
        )
        async with bench.working(consumer):
            for number in range(together):
                await bench.client.publish_task(f"order-{number}")
            await bench.settled()
        assert bench.broker.depth("work.dead_letters") == 0


async def test_a_thread_that_takes_too_long_is_left_to_itself() -> None:
    release = threading.Event()

    def handle(task: TaskEnvelope, context: TaskContext) -> None:
        release.wait(timeout=10)

    async with Bench() as bench:
        consumer = TaskConsumer(
            rabbitmq=bench.client,
            handler=handle,
            handler_timeout=0.001,
            retry_policy=RetryPolicy(max_retries=0),
        )
        await bench.work_off(consumer, publish=lambda: bench.client.publish_task("order"))
        [attempt] = [node for node in (await bench.graph("order")).nodes if node.kind == "task_attempt"]
        assert attempt.annotations["exception_type"] == "HandlerTimeout"
        release.set()


async def test_a_plain_function_can_reach_its_context() -> None:
    def handle(task: TaskEnvelope, context: TaskContext) -> None:
        anyio.from_thread.run(context.publish_status, "half")

    async with Bench() as bench:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=handle)
        await bench.work_off(consumer, publish=lambda: bench.client.publish_task("order"))
        assert "StatusPublished half" in await bench.told("order")
