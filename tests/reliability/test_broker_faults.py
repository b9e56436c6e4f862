"""T15 and T17: a RabbitMQ that is killed, and all that it does to consumers when it is not."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import anyio
import anyio.to_thread
import pytest
from consumer.broker_steps import PATIENCE_SECONDS
from consumer.rabbitmq.rabbitmq_steps import operator
from msgspec.structs import replace
from rabbitmq_server import RabbitMQ
from reliability.fleet import Fleet
from reliability.report import ReliabilityReport
from reliability.sizes import sized
from servers import StoreUnderTest

from relayna import Recorder, RelaynaClient
from relayna.errors import ConfigurationMismatch, Disconnected, OutcomeUnknown
from relayna.observability import ExecutionGraphService
from relayna.topologies import Declarations, Queue
from tools.rabbitmq_node import RabbitMQNode

pytestmark = [pytest.mark.anyio, pytest.mark.rabbitmq, pytest.mark.fault]


@sized(kills=3, tasks=30_000)
async def test_a_rabbitmq_that_is_killed_loses_nothing(
    kills: int, tasks: int, rabbitmq: RabbitMQ, any_store: StoreUnderTest, reliability: ReliabilityReport
) -> None:
    """T15: producers publish again what was not confirmed, and no effect is had twice."""
    node = rabbitmq.node

    async def kill_and_start_again() -> None:
        await anyio.to_thread.run_sync(node.kill)
        await anyio.to_thread.run_sync(node.start_again)

    async with Fleet(rabbitmq, any_store) as fleet:
        await anyio.to_thread.run_sync(node.write_down_queues)
        requests = [fleet.expect(f"task-{n}", {"spawn": 1} if n % 10 == 0 else {}) for n in range(tasks)]
        part = tasks // (kills + 1)
        async with fleet.worker() as first, fleet.worker() as second, anyio.create_task_group() as producing:
            for worker in (first, second):
                await worker.says("ready")
            producing.start_soon(fleet.publish, requests)
            for number in range(1, kills + 1):
                await fleet.ended(number * part)
                await kill_and_start_again()
            await fleet.ended()
            for worker in (first, second):
                assert await worker.ends(signal.SIGTERM) == 0
        reliability.add("T15 RabbitMQ killed", await fleet.judge(faults=kills))


@sized(rounds=10)
async def test_whatever_a_broker_does_its_tasks_are_done_once(
    rounds: int, rabbitmq: RabbitMQ, any_store: StoreUnderTest, reliability: ReliabilityReport
) -> None:
    """T17: a consumer timeout, a memory alarm, queues deleted under their consumers, a 406. No publish hangs."""
    faults = (consumer_timeout, memory_alarm, deleted_queue, precondition_failed)
    with short_consumer_timeout(rabbitmq.node):
        async with Fleet(rabbitmq, any_store) as fleet, fleet.worker() as worker:
            await worker.says("ready")
            for number in range(rounds):
                for fault in faults:
                    name = f"{fault.__name__}-{number}"
                    await fault(fleet, rabbitmq, name)
                    await fleet.publish(fleet.expect(f"{name}-{n}", {"spawn": n % 2}) for n in range(20))
                    await fleet.ended()
            assert await worker.ends(signal.SIGTERM) == 0
            findings = await fleet.judge(faults=rounds * len(faults))
            timed_out = await ExecutionGraphService(log=fleet.log).get_graph("consumer_timeout-0")
            assert len([node for node in timed_out.nodes if node.kind == "task_attempt"]) > 1
    reliability.add("T17 broker's moods", findings)


@contextmanager
def short_consumer_timeout(node: RabbitMQNode) -> Iterator[None]:
    """RabbitMQ closes the channel of a consumer that takes longer; it looks once a tick."""
    setting = "[application:set_env(rabbit, Key, Value) || {Key, Value} <- [%s]]."
    node.control("eval", setting % "{consumer_timeout, 300}, {channel_tick_interval, 200}")
    yield
    node.control("eval", setting % "{consumer_timeout, 1800000}, {channel_tick_interval, 60000}")


async def consumer_timeout(fleet: Fleet, rabbitmq: RabbitMQ, name: str) -> None:
    """A handler that takes too long loses its channel; its message is handed out again, and others' with it."""
    await fleet.publish([fleet.expect(name, {"hold_first": True})])


async def memory_alarm(fleet: Fleet, rabbitmq: RabbitMQ, name: str) -> None:
    """A blocked publish ends within its timeout, and may be repeated."""
    request = fleet.expect(name, {})
    await anyio.to_thread.run_sync(partial(rabbitmq.node.set_memory_alarm, on=True))
    try:
        async with RelaynaClient(
            topology=fleet.topology, observation_sink=Recorder(fleet.log), confirm_timeout=0.3
        ) as hasty:
            with pytest.raises((OutcomeUnknown, Disconnected)) as caught, anyio.fail_after(PATIENCE_SECONDS):
                await hasty.publish_task(request.task_id, request.payload)
    finally:
        await anyio.to_thread.run_sync(partial(rabbitmq.node.set_memory_alarm, on=False))
    await fleet.publish([replace(request, message_id=getattr(caught.value, "message_id", None))])


async def deleted_queue(fleet: Fleet, rabbitmq: RabbitMQ, name: str) -> None:
    """Somebody deletes the queue of work, which is empty: its consumer declares it again."""
    async with operator(rabbitmq.url) as channel:
        await channel.queue_delete(fleet.topology.tasks_queue)


async def precondition_failed(fleet: Fleet, rabbitmq: RabbitMQ, name: str) -> None:
    """A queue that exists otherwise is refused, and nobody else's channel is lost for it."""
    asked = Queue(name=fleet.topology.tasks_queue, kind="classic")
    with pytest.raises(ConfigurationMismatch):
        await fleet.client.broker.declare(Declarations(queues=(asked,)))
