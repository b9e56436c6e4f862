"""A dead letter on real servers, from its failure to its replay."""

from __future__ import annotations

import anyio
import pytest
from consumer.broker_steps import PATIENCE_SECONDS, take
from rabbitmq_server import RabbitMQ
from servers import StoreUnderTest

from relayna.consumer import RelaynaClient, RetryPolicy, TaskConsumer, TaskContext, TaskEnvelope
from relayna.consumer.rabbitmq import RabbitMQBroker
from relayna.observability import (
    DLQService,
    ExecutionGraphService,
    RedisDLQStore,
    RedisObservationStore,
    ReplayOutcome,
    make_redis_observation_sink,
)
from relayna.topologies import SharedTasksSharedStatusTopology

pytestmark = [pytest.mark.anyio, pytest.mark.rabbitmq]


class FailsOnce:
    """Fails the first time; afterwards the second end can be waited for."""

    def __init__(self) -> None:
        self.handled = 0

    async def __call__(self, task: TaskEnvelope, context: TaskContext) -> None:
        self.handled += 1
        if self.handled == 1:
            raise ValueError("no")


async def test_a_letter_is_looked_at_replayed_and_handled_once(
    rabbitmq: RabbitMQ, any_store: StoreUnderTest
) -> None:
    name, handler = rabbitmq.name(), FailsOnce()
    observations = RedisObservationStore(any_store.url, prefix=any_store.prefix)
    topology = SharedTasksSharedStatusTopology(
        rabbitmq_url=rabbitmq.url,
        tasks_exchange=f"{name}.tasks",
        tasks_queue=f"{name}.work",
        tasks_routing_key="task",
        status_exchange=f"{name}.statuses",
        status_queue=f"{name}.statuses.all",
    )
    broker = RabbitMQBroker(rabbitmq.url)
    client = RelaynaClient(
        topology=topology, broker=broker, observation_sink=make_redis_observation_sink(observations)
    )
    consumer = TaskConsumer(rabbitmq=client, handler=handler, retry_policy=RetryPolicy(max_retries=0))
    letters = DLQService(store=RedisDLQStore(any_store.url, prefix=any_store.prefix), broker=broker)
    with anyio.fail_after(3 * PATIENCE_SECONDS):
        async with client, observations, anyio.create_task_group() as running:
            await running.start(consumer.run)
            await client.publish_task("T", {"total": 7}, headers={"tenant": "t"})
            async with broker.consume(f"{name}.work.dead_letters", prefetch=1) as subscription:
                looked_at = await take(aiter(subscription))
            [letter] = await letters.list_dead_letters("T")
            for _ in range(100):
                assert (await letters.plan("T", letter["dead_letter_id"])).allowed
                await letters.get_dead_letter("T", letter["dead_letter_id"])
            result = await letters.replay("T", letter["dead_letter_id"], replayed_by="ops")
            assert result.outcome is ReplayOutcome.REPLAYED
            assert (await letters.replay("T", letter["dead_letter_id"])).outcome is ReplayOutcome.REFUSED
            service = ExecutionGraphService(log=observations.log)
            while (graph := await service.get_graph("T")).summary.status != "completed":
                await anyio.lowlevel.checkpoint()
            # Only this test's own look has touched the queue: it still holds its one letter, handed out once.
            async with broker.consume(f"{name}.work.dead_letters", prefetch=1) as subscription:
                again = await take(aiter(subscription))
            consumer.stop()
    assert looked_at.message.headers["tenant"] == again.message.headers["tenant"] == "t"
    assert (looked_at.delivery_count or 0, again.delivery_count or 0) in ((0, 1), (0, 0))
    assert handler.handled == 2
    births = [edge for edge in graph.edges if edge.kind == "replayed_as"]
    assert [(edge.target, edge.annotations["evidence"]) for edge in births] == [
        ("task-attempt:T:2", "observed")
    ]
    assert [node.annotations["state"] for node in graph.nodes if node.kind == "dlq_record"] == ["replayed"]
