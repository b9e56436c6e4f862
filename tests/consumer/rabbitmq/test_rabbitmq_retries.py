"""Retries and dead letters on a real RabbitMQ while somebody changes the policy, or deletes what they need."""

from __future__ import annotations

from collections import Counter
from typing import Final

import anyio
import pytest
from aio_pika import ExchangeType
from consumer.bench import attempts
from consumer.rabbitmq.rabbitmq_bench import RabbitMQBench
from consumer.rabbitmq.rabbitmq_steps import operator
from rabbitmq_server import RabbitMQ

from relayna.consumer import RetryPolicy, TaskConsumer, TaskContext, TaskEnvelope, TaskRequest
from relayna.topologies import dead_letter_queue_name, retry_queue_name
from relayna.topologies.layout import dead_letter_exchange

pytestmark = [pytest.mark.anyio, pytest.mark.rabbitmq]

TASKS: Final = tuple(f"order-{number}" for number in range(12))
PATIENT: Final = RetryPolicy(max_retries=2, delay_ms=4_000, backoff=1, jitter=0.25)
"""Long enough for a worker to end meanwhile, and another to begin."""
HASTY: Final = RetryPolicy(max_retries=5, delay_ms=30, jitter=0.1)
AT_ONCE: Final = RetryPolicy(max_retries=0)


async def fail_twice(task: TaskEnvelope, context: TaskContext) -> None:
    if context.retry_attempt < 2:
        raise TimeoutError("no answer")


def consumer_of(bench: RabbitMQBench, policy: RetryPolicy, name: str) -> TaskConsumer:
    return TaskConsumer(
        rabbitmq=bench.client, handler=fail_twice, retry_policy=policy, consumer_name=name, prefetch=4
    )


async def publish_all(bench: RabbitMQBench) -> None:
    await bench.client.publish_tasks([TaskRequest(task_id=task_id) for task_id in TASKS])


async def delays(bench: RabbitMQBench, task_id: str) -> list[tuple[str, int]]:
    """Who had the task wait, and for how long, in the order of its retries."""
    await bench.recorder.durable()
    events = await bench.recorder.read(task_id)
    scheduled = [one.body for one in events if type(one.body).__name__ == "ConsumerRetryScheduled"]
    return [(one.consumer_name, one.delay_ms) for one in scheduled]


async def waiting(bench: RabbitMQBench, rabbitmq: RabbitMQ, *policies: RetryPolicy) -> Counter[int]:
    """How many messages lie in the retry queues of these policies, by delay."""
    work = bench.topology.tasks_queue  # type: ignore[attr-defined]
    found: Counter[int] = Counter()
    async with operator(rabbitmq.url) as channel:
        for delay_ms in {rung for policy in policies for rung in policy.ladder()}:
            queue = await channel.declare_queue(retry_queue_name(work, delay_ms), passive=True)
            found[delay_ms] = queue.declaration_result.message_count or 0
    return +found


async def check_all_done(bench: RabbitMQBench) -> None:
    for task_id in TASKS:
        graph = await bench.graph(task_id)
        ends = [outcome for outcome, _ in attempts(graph)]
        assert ends == ["retried", "retried", "acked"], task_id
        assert graph.summary.graph_completeness == "full"


async def test_a_policy_that_changes_while_messages_wait_strands_none(rabbitmq: RabbitMQ) -> None:
    async with RabbitMQBench(rabbitmq) as bench:
        async with bench.working(consumer_of(bench, PATIENT, "before")):
            await publish_all(bench)
            await bench.until(*((task_id, "retrying") for task_id in TASKS))
        assert (await waiting(bench, rabbitmq, PATIENT)).total() > 0
        async with bench.working(consumer_of(bench, HASTY, "after")):
            await bench.until(*((task_id, "completed") for task_id in TASKS))
        await check_all_done(bench)
        assert await waiting(bench, rabbitmq, PATIENT, HASTY) == {}
        for task_id in TASKS:
            [(first, before), (second, after)] = await delays(bench, task_id)
            assert (first, second) == ("before", "after")
            assert before in PATIENT.rungs(1)
            assert after in HASTY.rungs(2)


async def test_a_fleet_in_which_the_policy_changes_worker_by_worker_strands_none(rabbitmq: RabbitMQ) -> None:
    quick = RetryPolicy(max_retries=3, delay_ms=40, backoff=3, jitter=0.5)
    rungs = {"old": {20, 40, 60, 120, 180}, "new": {27, 30, 33, 54, 60, 66}}  # 60 ms is a rung of both
    async with RabbitMQBench(rabbitmq) as bench:
        async with bench.working(consumer_of(bench, quick, "old"), consumer_of(bench, HASTY, "new")):
            await publish_all(bench)
            await bench.until(*((task_id, "completed") for task_id in TASKS))
        await check_all_done(bench)
        assert await waiting(bench, rabbitmq, quick, HASTY) == {}
        for task_id in TASKS:
            for consumer, delay_ms in await delays(bench, task_id):
                assert delay_ms in rungs[consumer]


class FailsForGood:
    """Its tasks are dead letters at once; it tells when it was asked a second time."""

    def __init__(self) -> None:
        self.again = anyio.Event()
        self._began = 0

    async def __call__(self, task: TaskEnvelope, context: TaskContext) -> None:
        self._began += 1
        if self._began == 2:
            self.again.set()
        raise LookupError("no such order")


@pytest.mark.fault
@pytest.mark.parametrize("missing", ["exchange", "queue", "both"])
async def test_what_dead_letters_need_is_made_again_when_somebody_deleted_it(
    rabbitmq: RabbitMQ, missing: str
) -> None:
    async with RabbitMQBench(rabbitmq) as bench:
        letters = dead_letter_queue_name(bench.topology.tasks_queue)  # type: ignore[attr-defined]
        async with bench.working(
            TaskConsumer(rabbitmq=bench.client, handler=FailsForGood(), retry_policy=AT_ONCE)
        ):
            async with operator(rabbitmq.url) as channel:
                if missing != "exchange":
                    await channel.queue_delete(letters)
                if missing != "queue":
                    await channel.exchange_delete(dead_letter_exchange(bench.topology))
            await bench.client.publish_task("order")
            await bench.until(("order", "failed"))
        [letter] = await bench.taken(letters, 1)
        assert letter.headers["x-relayna-task-id"] == "order"
        assert attempts(await bench.graph("order")) == [("dead_lettered", "dead_lettered")]


@pytest.mark.fault
async def test_a_letter_that_cannot_be_laid_anywhere_comes_back_until_it_can(rabbitmq: RabbitMQ) -> None:
    """Somebody put another kind of exchange in the place of ours."""
    handler = FailsForGood()
    async with RabbitMQBench(rabbitmq) as bench:
        letters = dead_letter_queue_name(bench.topology.tasks_queue)  # type: ignore[attr-defined]
        exchange = dead_letter_exchange(bench.topology)
        async with bench.working(TaskConsumer(rabbitmq=bench.client, handler=handler, retry_policy=AT_ONCE)):
            async with operator(rabbitmq.url) as channel:
                await channel.exchange_delete(exchange)
                await channel.declare_exchange(exchange, ExchangeType.FANOUT, durable=True)
                await bench.client.publish_task("order")
                await handler.again.wait()
                await channel.exchange_delete(exchange)
            [letter] = await bench.taken(letters, 1)
        assert letter.headers["x-relayna-task-id"] == "order"
        ends = [outcome for outcome, _ in attempts(await bench.graph("order"))]
        assert ends[-1] == "dead_lettered"
        assert set(ends[:-1]) == {"released"}
