"""The consumers of one process end together. Signals to real processes are in rabbitmq/test_rabbitmq_workers.py."""

from __future__ import annotations

import os
import signal
from typing import Any

import anyio
import pytest
from consumer.bench import Bench, attempts

from relayna.consumer import TaskConsumer, TaskEnvelope, run_consumers
from relayna.errors import Disconnected

pytestmark = pytest.mark.anyio


class Gate:
    def __init__(self) -> None:
        self.entered = anyio.Event()
        self.opened = anyio.Event()

    async def __call__(self, task: TaskEnvelope, context: Any) -> None:
        self.entered.set()
        await self.opened.wait()


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_all_drain(which: signal.Signals) -> None:
    gates = Gate(), Gate()
    async with Bench() as bench:
        consumers = [TaskConsumer(rabbitmq=bench.client, handler=gate) for gate in gates]
        async with anyio.create_task_group() as running:
            await running.start(run_consumers, *consumers)
            for number in range(4):
                await bench.client.publish_task(f"order-{number}")
            for gate in gates:
                await gate.entered.wait()
            os.kill(os.getpid(), which)
            await bench.broker.wait_until(lambda: bench.broker.unsettled("work") == 2)
            for gate in gates:
                gate.opened.set()
        assert (bench.broker.depth("work"), bench.broker.unsettled("work")) == (2, 0)
        for number in range(2):
            assert attempts(await bench.graph(f"order-{number}")) == [("acked", "succeeded")]


async def test_afterwards_signals_mean_what_they_meant() -> None:
    before = signal.getsignal(signal.SIGTERM)
    async with Bench() as bench, anyio.create_task_group() as running:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=Gate())
        await running.start(run_consumers, consumer)
        assert signal.getsignal(signal.SIGTERM) != before
        consumer.stop()
    assert signal.getsignal(signal.SIGTERM) == before


async def test_when_one_ends_the_others_do_and_all_can_run_again() -> None:
    async with Bench() as bench:
        gate = Gate()
        gate.opened.set()
        consumers = [TaskConsumer(rabbitmq=bench.client, handler=gate) for _ in range(3)]
        for _ in range(2):
            async with anyio.create_task_group() as running:
                await running.start(run_consumers, *consumers)
                consumers[1].stop()
        async with anyio.create_task_group() as running:
            await running.start(run_consumers, *consumers)
            await bench.client.publish_task("order")
            await bench.settled()
            consumers[0].stop()
        assert attempts(await bench.graph("order")) == [("acked", "succeeded")]


async def test_one_that_cannot_start_is_told_as_it_is_and_can_be_tried_again() -> None:
    async with Bench() as bench:
        gate = Gate()
        gate.opened.set()
        consumers = [TaskConsumer(rabbitmq=bench.client, handler=gate) for _ in range(2)]
        bench.broker.disconnect()
        with pytest.raises(Disconnected):
            await run_consumers(*consumers)
        bench.broker.reconnect()
        await bench.client.publish_task("order")
        async with anyio.create_task_group() as running:
            await running.start(run_consumers, *consumers)
            await bench.settled()
            consumers[1].stop()
        assert attempts(await bench.graph("order")) == [("acked", "succeeded")]


async def test_a_cancelled_caller_lets_them_drain() -> None:
    gate = Gate()
    async with Bench() as bench:
        async with anyio.create_task_group() as running:
            await running.start(run_consumers, TaskConsumer(rabbitmq=bench.client, handler=gate))
            await bench.client.publish_task("order")
            await gate.entered.wait()
            running.cancel_scope.cancel()
            gate.opened.set()
        assert attempts(await bench.graph("order")) == [("acked", "succeeded")]
