"""How a consumer begins and ends: it drains within its deadline, and gives the rest back."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import anyio
import pytest
from consumer.bench import Bench, attempts

from relayna.consumer import MemoryBroker, RetryPolicy, TaskConsumer, TaskContext, TaskEnvelope
from relayna.errors import Disconnected, InvalidSetting, InvalidTopology, NotDeclared
from relayna.topologies import SharedStatusWorkflowTopology, WorkflowStage

pytestmark = pytest.mark.anyio


class Gate:
    """A handler that waits until it is let through."""

    def __init__(self) -> None:
        self.entered: list[str] = []
        self.opened = anyio.Event()
        self._news = anyio.Event()

    async def __call__(self, task: TaskEnvelope, context: TaskContext) -> None:
        self.entered.append(task.task_id)
        self._news.set()
        self._news = anyio.Event()
        await self.opened.wait()

    async def until_entered(self, count: int) -> None:
        while len(self.entered) < count:
            await self._news.wait()


def consumer_of(bench: Bench, handler: Any, **options: Any) -> TaskConsumer:
    return TaskConsumer(rabbitmq=bench.client, handler=handler, **options)


async def publish(bench: Bench, count: int) -> None:
    for number in range(count):
        await bench.client.publish_task(f"order-{number}")


async def test_stopping_lets_handlers_finish_and_takes_no_more() -> None:
    gate = Gate()
    async with Bench() as bench:
        consumer = consumer_of(bench, gate, prefetch=2)
        async with anyio.create_task_group() as running:
            await running.start(consumer.run)
            await publish(bench, 5)
            await gate.until_entered(2)
            consumer.stop()
            gate.opened.set()
        assert gate.entered == ["order-0", "order-1"]
        assert (bench.broker.depth("work"), bench.broker.unsettled("work")) == (3, 0)
        for task_id in gate.entered:
            assert attempts(await bench.graph(task_id)) == [("acked", "succeeded")]


async def test_after_the_deadline_handlers_are_interrupted_and_their_messages_go_back() -> None:
    gate = Gate()
    async with Bench() as bench:
        consumer = consumer_of(bench, gate, prefetch=2, drain_seconds=0)
        async with anyio.create_task_group() as running:
            await running.start(consumer.run)
            await publish(bench, 2)
            await gate.until_entered(2)
            consumer.stop()
        assert bench.broker.depth("work") == 2
        [released] = [
            event.body
            for event in await bench.events("order-0")
            if type(event.body).__name__ == "TaskMessageRejected"
        ]
        assert (released.requeue, released.reason) == (True, "drain_deadline")  # type: ignore[union-attr]
        assert (await bench.graph("order-0")).summary.graph_completeness == "full"
        gate.opened.set()
        async with bench.working(consumer_of(bench, gate)):
            await bench.settled()
        assert attempts(await bench.graph("order-0")) == [("released", "abandoned"), ("acked", "succeeded")]


@pytest.mark.parametrize("policy", [RetryPolicy(), RetryPolicy(max_retries=0)], ids=["retries", "no retries"])
async def test_a_handler_that_answers_the_interruption_with_an_error_was_interrupted(
    policy: RetryPolicy,
) -> None:
    entered = anyio.Event()

    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        entered.set()
        try:
            await anyio.sleep_forever()
        except BaseException as error:
            raise RuntimeError("could not finish") from error

    async with Bench() as bench:
        consumer = consumer_of(bench, handle, drain_seconds=0, retry_policy=policy)
        async with anyio.create_task_group() as running:
            await running.start(consumer.run)
            await publish(bench, 1)
            await entered.wait()
            consumer.stop()
        assert bench.broker.depth("work") == 1
        assert attempts(await bench.graph("order-0")) == [("released", "abandoned")]


async def test_a_handler_that_finishes_in_spite_of_the_interruption_has_finished() -> None:
    entered = anyio.Event()

    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        entered.set()
        with anyio.CancelScope(shield=True):
            await anyio.lowlevel.checkpoint()
        try:
            await anyio.sleep_forever()
        except asyncio.CancelledError:
            return

    async with Bench() as bench:
        consumer = consumer_of(bench, handle, drain_seconds=0)
        async with anyio.create_task_group() as running:
            await running.start(consumer.run)
            await publish(bench, 1)
            await entered.wait()
            consumer.stop()
        assert attempts(await bench.graph("order-0")) == [("acked", "succeeded")]
        assert bench.broker.depth("work") == 0


async def test_what_an_interrupted_handler_asked_for_is_not_published() -> None:
    entered = anyio.Event()

    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        await context.spawn()
        entered.set()
        await anyio.sleep_forever()

    async with Bench() as bench:
        consumer = consumer_of(bench, handle, drain_seconds=0)
        async with anyio.create_task_group() as running:
            await running.start(consumer.run)
            await publish(bench, 1)
            await entered.wait()
            consumer.stop()
        assert bench.broker.depth("work") == 1
        assert "ChildRegistered" not in await bench.told("order-0")


async def test_a_thread_that_goes_on_does_not_hold_the_drain_up() -> None:
    entered, release = threading.Event(), threading.Event()

    def handle(task: TaskEnvelope, context: TaskContext) -> None:
        entered.set()
        release.wait(timeout=10)

    async with Bench() as bench:
        consumer = consumer_of(bench, handle, drain_seconds=0)
        async with anyio.create_task_group() as running:
            await running.start(consumer.run)
            await publish(bench, 1)
            await anyio.to_thread.run_sync(entered.wait)
            consumer.stop()
        assert bench.broker.depth("work") == 1
        release.set()


@pytest.mark.parametrize("how", ["task", "scope"])
async def test_a_cancelled_caller_waits_until_it_has_drained(how: str) -> None:
    gate = Gate()
    async with Bench() as bench:
        consumer = consumer_of(bench, gate)
        ended: list[str] = []

        async def run() -> None:
            try:
                await consumer.run()
            finally:
                ended.extend(await bench.told("order-0"))

        async with anyio.create_task_group() as running:
            task = asyncio.create_task(run()) if how == "task" else None
            if task is None:
                running.start_soon(run)
            await publish(bench, 1)
            await gate.until_entered(1)
            (task or running.cancel_scope).cancel()
            with anyio.CancelScope(shield=True):
                await anyio.wait_all_tasks_blocked()
                assert not ended
                gate.opened.set()
                if task is not None:
                    await asyncio.wait({task})
                    assert task.cancelled()
        assert ended == [] if how == "scope" else ended[-1] == "TaskMessageAcked"
        assert attempts(await bench.graph("order-0")) == [("acked", "succeeded")]


async def test_it_says_what_it_listens_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="relayna.consumer")
    async with Bench() as bench:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=print, consumer_name="resizer-2")
        async with bench.working(consumer):
            assert caplog.messages == ["resizer-2 is listening on work"]


async def test_it_says_when_it_has_started() -> None:
    gate = Gate()
    gate.opened.set()
    async with Bench() as bench, anyio.create_task_group() as running:
        consumer = consumer_of(bench, gate)
        await running.start(consumer.run)
        await publish(bench, 1)
        assert bench.broker.unsettled("work") == 1
        consumer.stop()


async def test_a_stop_before_it_begins_ends_it_at_once_and_it_can_be_run_again() -> None:
    gate = Gate()
    gate.opened.set()
    async with Bench() as bench:
        await publish(bench, 2)
        consumer = consumer_of(bench, gate)
        consumer.stop()
        await consumer.run()
        assert bench.broker.unsettled("work") == 0
        async with bench.working(consumer):
            await bench.settled()
        assert bench.broker.depth("work") == 0
        assert len(set(gate.entered)) == 2


async def test_when_the_broker_is_left_it_ends() -> None:
    gate = Gate()
    gate.opened.set()
    bench = Bench()
    with anyio.fail_after(10):
        async with bench.recorder, anyio.create_task_group() as running, bench.client:
            await running.start(consumer_of(bench, gate).run)
            await publish(bench, 1)
            await bench.settled()
            # The group ends because the consumer does.
    assert gate.entered == ["order-0"]


async def test_it_cannot_start_without_a_connection() -> None:
    async with Bench() as bench:
        bench.broker.disconnect()
        with pytest.raises(Disconnected):
            await consumer_of(bench, Gate()).run()
        bench.broker.reconnect()


async def test_it_declares_its_retry_queues() -> None:
    async with Bench() as bench:
        consumer = consumer_of(bench, Gate(), retry_policy=RetryPolicy(max_retries=2, delay_ms=7))
        with pytest.raises(NotDeclared):
            bench.broker.depth("work.retry.7ms")
        async with bench.working(consumer):
            assert [bench.broker.depth(f"work.retry.{delay}ms") for delay in (7, 14)] == [0, 0]


class Broken(MemoryBroker):
    """A broker whose settlements raise what no broker should raise."""

    breaks = 0

    def is_open(self, delivery: Any) -> bool:
        if self.breaks:
            self.breaks -= 1
            raise ZeroDivisionError("a mistake of ours")
        return super().is_open(delivery)


async def test_a_mistake_of_ours_loses_no_message_and_stops_no_neighbour() -> None:
    gate = Gate()
    gate.opened.set()

    def broken(clock: Any) -> Broken:
        broker = Broken(clock=clock)
        broker.breaks = 1
        return broker

    async with Bench(broker=broken) as bench:
        async with bench.working(consumer_of(bench, gate, prefetch=2)):
            await publish(bench, 3)
            await bench.settled()
        assert bench.counters == {"relayna_deliveries_failed_total": 1}
        assert bench.workers_clock.pauses == [1.0]
        for number in range(3):
            assert attempts(await bench.graph(f"order-{number}"))[-1] == ("acked", "succeeded")


@pytest.mark.parametrize(
    "options",
    [
        {"prefetch": 0},
        {"prefetch": -1},
        {"drain_seconds": -1},
        {"handler_timeout": 0},
        {"handler_timeout": -1},
    ],
    ids=str,
)
def test_numbers_that_make_no_sense_are_named(options: dict[str, float]) -> None:
    with pytest.raises(InvalidSetting) as caught:
        consumer_of(Bench(), Gate(), **options)
    assert caught.value.name in options


def test_a_workflow_has_no_queue_of_tasks() -> None:
    stage = WorkflowStage(name="cut", queue="q.cut", binding_keys=("cut",), publish_routing_key="cut")
    topology = SharedStatusWorkflowTopology(
        rabbitmq_url="amqp://broker.example",
        workflow_exchange="flow",
        stages=(stage,),
        status_exchange="statuses",
        status_queue="statuses.all",
    )
    with pytest.raises(InvalidTopology, match="WorkflowConsumer"):
        consumer_of(Bench(topology), Gate())
