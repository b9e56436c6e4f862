"""Children report to the shard of their parent; what is handled there is an attempt of the child."""

from __future__ import annotations

from typing import Any

import pytest
from consumer.bench import QUICK, SHARED, Bench, attempts, edges, nodes

from relayna.consumer import (
    AggregationConsumer,
    RetryPolicy,
    StatusEnvelope,
    TaskConsumer,
    TaskContext,
    TaskEnvelope,
)
from relayna.errors import InvalidQuery, InvalidSetting, InvalidTopology
from relayna.topologies import (
    SharedTasksSharedStatusShardedAggregationTopology,
    aggregation_queue,
    aggregation_shard,
)

pytestmark = pytest.mark.anyio

SHARDED = SharedTasksSharedStatusShardedAggregationTopology(
    rabbitmq_url="amqp://broker.example",
    tasks_exchange="tasks",
    tasks_queue="work",
    tasks_routing_key="task",
    status_exchange="statuses",
    status_queue="statuses.all",
    shard_count=3,
    aggregation_routing_prefix="parts",
    aggregation_queue_template="parts.{shard}",
)


def workers(
    bench: Bench, handler: Any, gatherer: Any, **options: Any
) -> tuple[TaskConsumer, AggregationConsumer]:
    return (
        TaskConsumer(rabbitmq=bench.client, handler=handler, retry_policy=QUICK),
        AggregationConsumer(rabbitmq=bench.client, handler=gatherer, **{"retry_policy": QUICK, **options}),
    )


async def report(task: TaskEnvelope, context: TaskContext) -> None:
    if task.task_id == "parent":
        await context.spawn(task_id="child")
    else:
        await context.publish_aggregation_status("completed", message="done", meta={"rows": 3})


async def ignore(report: StatusEnvelope, context: TaskContext) -> None:
    pass


async def test_a_report_reaches_its_parents_shard() -> None:
    seen: list[tuple[StatusEnvelope, str]] = []

    async def gather(report: StatusEnvelope, context: TaskContext) -> None:
        seen.append((report, context.task_id))

    async with Bench(SHARDED) as bench:
        await bench.work_off(
            *workers(bench, report, gather), publish=lambda: bench.client.publish_task("parent")
        )
        [(told, task_id)] = seen
        assert (told.status, told.message, told.meta, told.parent_task_id) == (
            "completed",
            "done",
            {"rows": 3},
            "parent",
        )
        assert task_id == "child"
        assert await bench.told("child") == [
            "TaskPublished",
            "TaskMessageReceived",
            "TaskLifecycleStatusPublished processing",
            "StatusPublished completed",
            "TaskMessageAcked",
            "AggregationMessageReceived",
            "AggregationMessageAcked",
        ]
        received = (await bench.events("child"))[5].body
        shard = aggregation_shard(SHARDED, "parent")
        assert (received.shard, received.queue_name) == (shard, aggregation_queue(SHARDED, shard))  # type: ignore[union-attr]
        graph = await bench.graph("child")
        assert attempts(graph) == [("acked", "succeeded"), ("acked", "succeeded")]
        assert nodes(graph, "status_event") == ["processing", "completed"]
        whole = await bench.graph("parent")
        assert ("aggregation_child:child", "aggregated_into", "task:parent") in edges(whole)
        assert whole.summary.graph_completeness == "full"


async def test_a_held_report_of_a_failed_attempt_is_no_end() -> None:
    async def work(task: TaskEnvelope, context: TaskContext) -> None:
        await context.publish_aggregation_status("failed", parent_task_id="parent")
        raise ValueError("no")

    async with Bench(SHARDED) as bench:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=work, retry_policy=RetryPolicy(max_retries=0))
        await bench.work_off(consumer, publish=lambda: bench.client.publish_task("child"))
        assert nodes(await bench.graph("child"), "status_event") == ["processing", "failed"]
        told = await bench.told("child")
        assert "TaskLifecycleStatusPublished failed" in told
        assert "StatusPublished failed" not in told
        assert all(bench.broker.depth(f"parts.{shard}") == 0 for shard in range(3))


async def test_a_report_sent_at_once_is_an_end() -> None:
    async def work(task: TaskEnvelope, context: TaskContext) -> None:
        await context.publish_aggregation_status("failed", parent_task_id="parent", now=True)
        raise ValueError("no")

    async with Bench(SHARDED) as bench:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=work, retry_policy=RetryPolicy(max_retries=0))
        async with bench.working(consumer):
            await bench.client.publish_task("child")
            await bench.settled(resting=[f"parts.{shard}" for shard in range(3)])
        told = await bench.told("child")
        assert "StatusPublished failed" in told
        assert "TaskLifecycleStatusPublished failed" not in told


async def test_a_report_that_cannot_be_taken_in_is_retried_and_given_up() -> None:
    async def gather(report: StatusEnvelope, context: TaskContext) -> None:
        raise KeyError("rows")

    async with Bench(SHARDED) as bench:
        consumers = workers(bench, report, gather, retry_policy=RetryPolicy(max_retries=1, delay_ms=10))
        await bench.work_off(*consumers, publish=lambda: bench.client.publish_task("parent"), retries=1)
        assert (await bench.told("child"))[5:] == [
            "AggregationMessageReceived",
            "AggregationHandlerFailed",
            "AggregationRetryScheduled",
            "AggregationMessageReceived",
            "AggregationHandlerFailed",
            "DeadLetterRecorded",
            "AggregationDeadLetterPublished",
        ]
        shard = aggregation_shard(SHARDED, "parent")
        assert bench.broker.depth(f"parts.{shard}.dead_letters") == 1
        assert (await bench.graph("child")).summary.graph_completeness == "full"


async def test_a_report_cannot_be_retried_by_hand() -> None:
    refused: list[InvalidQuery] = []

    async def gather(report: StatusEnvelope, context: TaskContext) -> None:
        for task_type in (None, "other"):
            with pytest.raises(InvalidQuery, match="only tasks") as caught:
                await context.manual_retry(task_type=task_type)
            refused.append(caught.value)

    async with Bench(SHARDED) as bench:
        await bench.work_off(
            *workers(bench, report, gather), publish=lambda: bench.client.publish_task("parent")
        )
    assert len(refused) == 2


async def test_a_consumer_may_take_some_shards_only() -> None:
    async with Bench(SHARDED) as bench:
        shard = aggregation_shard(SHARDED, "parent")
        others = [other for other in range(3) if other != shard]
        tasks, _ = workers(bench, report, ignore)
        elsewhere = AggregationConsumer(rabbitmq=bench.client, handler=ignore, shards=others)
        async with bench.working(tasks, elsewhere):
            await bench.client.publish_task("parent")
            await bench.settled(resting=[f"parts.{shard}"])
        assert bench.broker.depth(f"parts.{shard}") == 1


@pytest.mark.parametrize(
    ("shards", "error"), [([], InvalidSetting), ([3], InvalidQuery), ([-1], InvalidQuery)]
)
def test_shards_that_are_not_there(shards: list[int], error: type[Exception]) -> None:
    with pytest.raises(error):
        AggregationConsumer(rabbitmq=Bench(SHARDED).client, handler=ignore, shards=shards)


def test_a_topology_without_aggregation() -> None:
    with pytest.raises(InvalidTopology, match="no shards"):
        AggregationConsumer(rabbitmq=Bench(SHARED).client, handler=ignore)
