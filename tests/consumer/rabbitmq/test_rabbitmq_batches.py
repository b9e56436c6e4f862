"""A batch on a real RabbitMQ: one message in, every task on its own way out."""

from __future__ import annotations

from collections import Counter

import pytest
from consumer.bench import attempts
from consumer.rabbitmq.rabbitmq_bench import RabbitMQBench
from rabbitmq_server import RabbitMQ

from relayna.consumer import RetryPolicy, TaskConsumer, TaskContext, TaskEnvelope, TaskRequest
from relayna.topologies import dead_letter_queue_name

pytestmark = [pytest.mark.anyio, pytest.mark.rabbitmq]


async def test_a_hundred_tasks_in_one_message(rabbitmq: RabbitMQ) -> None:
    begun: Counter[str] = Counter()

    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        begun[task.task_id] += 1
        assert (context.batch_id, context.headers["traceparent"]) == ("night", "00-a")
        if task.payload == 13 and context.retry_attempt == 0:
            raise TimeoutError("no answer")
        if task.payload == 66:
            raise LookupError("no such order")

    async with RabbitMQBench(rabbitmq) as bench:
        policy = RetryPolicy(max_retries=1, delay_ms=40, non_retryable=(LookupError,))
        consumer = TaskConsumer(rabbitmq=bench.client, handler=handle, retry_policy=policy)
        async with bench.working(consumer):
            tasks = [
                TaskRequest(task_id=f"order-{n}", payload=n, headers={"traceparent": "00-a"})
                for n in range(100)
            ]
            message_ids = await bench.client.publish_batch(tasks, batch_id="night")
            ends = [(task.task_id, "failed" if task.payload == 66 else "completed") for task in tasks]
            await bench.until(*ends)
        [letter] = await bench.taken(dead_letter_queue_name(bench.topology.tasks_queue), 1)  # type: ignore[attr-defined]
        for task in tasks:
            graph = await bench.graph(task.task_id)
            assert graph.summary.graph_completeness == "full"
            assert [node.annotations["batch_id"] for node in graph.nodes if node.kind == "task_attempt"] == [
                "night"
            ] * len(attempts(graph))
            assert attempts(graph) == {
                13: [("retried", "failed"), ("acked", "succeeded")],
                66: [("dead_lettered", "dead_lettered")],
            }.get(int(task.payload), [("acked", "succeeded")])
    assert (letter.headers["x-relayna-task-id"], letter.headers["x-relayna-batch-id"]) == (
        "order-66",
        "night",
    )
    assert letter.message_id == message_ids[66]
    assert begun == {task.task_id: 1 + (task.payload == 13) for task in tasks}


async def test_a_batch_whose_channel_is_lost_while_it_is_unpacked_is_done_once(rabbitmq: RabbitMQ) -> None:
    begun: Counter[str] = Counter()

    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        begun[task.task_id] += 1
        if sum(begun.values()) in (5, 50):
            await bench.broker.close_channel_of(context._incoming.delivery)

    async with RabbitMQBench(rabbitmq) as bench:
        async with bench.working(TaskConsumer(rabbitmq=bench.client, handler=handle, prefetch=2)):
            tasks = [TaskRequest(task_id=f"order-{n}") for n in range(200)]
            await bench.client.publish_batch(tasks)
            await bench.until(*((task.task_id, "completed") for task in tasks))
        for task in tasks:
            outcomes = [outcome for outcome, _ in attempts(await bench.graph(task.task_id))]
            assert outcomes.count("acked") == 1
            assert set(outcomes) <= {"acked", "released", "abandoned"}
