"""Many deliveries, random outcomes, random faults: every task reaches exactly one end, and can prove it."""

from __future__ import annotations

import random

import anyio
import pytest
from consumer.acting import ACTING, ACTS, act, check_books
from consumer.bench import Bench
from hypothesis import given, settings
from hypothesis import strategies as st

from relayna.consumer import TaskConsumer, TaskContext, TaskEnvelope

pytestmark = pytest.mark.anyio

FAULTS = ("ack", "confirm", "connection")


async def act_sooner_or_later(task: TaskEnvelope, context: TaskContext) -> None:
    for _ in range(sum(task.task_id.encode()) % 7):
        await anyio.lowlevel.checkpoint()
    await act(task, context)


async def handled(task_ids: list[str], faults: list[tuple[str, int]], prefetch: int) -> int:
    """Handle the tasks to their ends, each fault so many turns of the loop after the last; how many attempts it took."""
    async with Bench() as bench:
        consumer = TaskConsumer(
            rabbitmq=bench.client, handler=act_sooner_or_later, retry_policy=ACTING, prefetch=prefetch
        )
        for task_id in task_ids:
            await bench.client.publish_task(task_id)
        async with bench.working(consumer):
            for fault, turns in faults:
                for _ in range(turns):
                    await anyio.lowlevel.checkpoint()
                match fault:
                    case "ack":
                        bench.broker.lose_acks("work")
                    case "confirm":
                        bench.broker.lose_confirms()
                    case "connection":
                        bench.broker.disconnect()
                        bench.broker.reconnect()
            await bench.settled()
            for _ in range(3):
                bench.clock.advance(2)
                await bench.settled()
        await check_books(bench, task_ids)
        assert faults or not bench.counters
        told = [await bench.told(task_id) for task_id in task_ids]
        return sum(one.count("TaskMessageReceived") for one in told)


async def test_a_thousand_deliveries() -> None:
    chance = random.Random(7)
    task_ids = [f"{chance.choice(ACTS)}-{number}" for number in range(720)]
    assert await handled(task_ids, [], prefetch=50) >= 1_000


@settings(max_examples=40)
@given(
    st.lists(st.sampled_from(ACTS), min_size=1, max_size=12),
    st.lists(st.tuples(st.sampled_from(FAULTS), st.integers(0, 25)), max_size=8),
    st.integers(1, 6),
)
async def test_whatever_breaks_meanwhile(
    kinds: list[str], faults: list[tuple[str, int]], prefetch: int
) -> None:
    await handled([f"{kind}-{number}" for number, kind in enumerate(kinds)], faults, prefetch)
