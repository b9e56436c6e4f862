"""A consumer may be stopped, cancelled or torn down after any number of steps: no message is lost, none is doubled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import anyio
import pytest
from consumer.acting import ACTING, ACTS, act, check_books
from consumer.bench import Bench

from relayna.consumer import TaskConsumer

pytestmark = pytest.mark.anyio

Stopping = Callable[[TaskConsumer, int], Awaitable[None]]


def consumer_of(bench: Bench) -> TaskConsumer:
    return TaskConsumer(rabbitmq=bench.client, handler=act, retry_policy=ACTING, prefetch=3)


async def steps(count: int) -> None:
    """Let everything else go on for so many turns of the event loop."""
    for _ in range(count):
        await asyncio.sleep(0)


def tasks_of_consumers() -> set[asyncio.Task[object]]:
    """What consumers have begun, whatever they run in; not what the recorder and the broker have."""
    return {task for task in asyncio.all_tasks() if "Consumer" in repr(task)}


async def ended(task: asyncio.Task[None]) -> None:
    await asyncio.wait({task})
    assert task.cancelled()


async def cancel_the_task(consumer: TaskConsumer, count: int) -> None:
    task = asyncio.create_task(consumer.run())
    await steps(count)
    task.cancel()
    await ended(task)


async def cancel_the_task_again_and_again(consumer: TaskConsumer, count: int) -> None:
    task = asyncio.create_task(consumer.run())
    await steps(count)
    while not task.done():
        task.cancel()
        await steps(2)
    if left := tasks_of_consumers():  # what it began goes on to its end without it
        await asyncio.wait(left)


async def cancel_the_scope(consumer: TaskConsumer, count: int) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(consumer.run)
        await steps(count)
        group.cancel_scope.cancel()


async def stop(consumer: TaskConsumer, count: int) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(consumer.run)
        await steps(count)
        consumer.stop()


async def tear_down(consumer: TaskConsumer, count: int) -> None:
    """As `asyncio.run` does when its main task has ended: every task is cancelled, shields or not."""
    run = asyncio.create_task(consumer.run())
    await steps(count)
    begun = tasks_of_consumers() | {run}
    for task in begun:
        task.cancel()
    await asyncio.wait(begun)


async def handled_in_spite_of(stopping: Stopping, count: int) -> bool:
    """Stop a consumer after so many steps, let another finish the work; whether the first had done all there was."""
    async with Bench() as bench:
        for task_id in ACTS:
            await bench.client.publish_task(task_id)
        await stopping(consumer_of(bench), count)
        assert bench.broker.unsettled("work") == 0
        was_done = bench.broker.depth("work") == 0 and bench.broker.depth("work.retry.1000ms") > 0
        async with bench.working(consumer_of(bench)):
            await bench.settled()
            bench.clock.advance(1)
            await bench.settled()
        await check_books(bench, ACTS, killed=stopping is tear_down)
        return was_done


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")  # torn down unbegun
@pytest.mark.parametrize(
    "stopping", [stop, cancel_the_task, cancel_the_task_again_and_again, cancel_the_scope, tear_down]
)
async def test_wherever_it_is_stopped_nothing_is_lost(stopping: Stopping) -> None:
    count = 0
    while not await handled_in_spite_of(stopping, count):
        count += 1
    assert count > 10
