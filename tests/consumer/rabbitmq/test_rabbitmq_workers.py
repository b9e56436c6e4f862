"""Consumers on a real RabbitMQ, as users meet them: retries, dead letters, workflows, and what kills a worker."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from consumer.bench import attempts, edges, nodes
from consumer.rabbitmq.rabbitmq_bench import RabbitMQBench
from consumer.rabbitmq.worker_process import worker_process
from rabbitmq_server import RabbitMQ
from servers import StoreUnderTest

from relayna.consumer import (
    AggregationConsumer,
    Message,
    RetryPolicy,
    StatusEnvelope,
    TaskConsumer,
    TaskContext,
    TaskEnvelope,
    WorkflowConsumer,
    WorkflowContext,
    WorkflowEnvelope,
)
from relayna.streams.redis import RedisLog
from relayna.topologies import (
    SharedStatusWorkflowTopology,
    SharedTasksSharedStatusShardedAggregationTopology,
    WorkflowEntryRoute,
    WorkflowStage,
    dead_letter_queue_name,
    retry_queue_name,
)

pytestmark = [pytest.mark.anyio, pytest.mark.rabbitmq]

LADDER = RetryPolicy(max_retries=2, delay_ms=40, jitter=0)


async def test_a_failure_climbs_the_ladder_of_retry_queues(rabbitmq: RabbitMQ) -> None:
    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        if context.retry_attempt < 2:
            raise TimeoutError("no answer")

    async with RabbitMQBench(rabbitmq) as bench:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=handle, retry_policy=LADDER)
        async with bench.working(consumer):
            await bench.client.publish_task("order")
            await bench.until(("order", "completed"))
        graph = await bench.graph("order")
        work = f"{bench.topology.tasks_queue}"  # type: ignore[attr-defined]
        declared = {queue.name for queue in consumer.declarations().queues}
    assert {retry_queue_name(work, 40), retry_queue_name(work, 80)} <= declared
    assert attempts(graph) == [("retried", "failed"), ("retried", "failed"), ("acked", "succeeded")]
    assert nodes(graph, "retry") == ["retry 1", "retry 2"]
    assert ("retry:order:2", "received_by", "task-attempt:order:3") in edges(graph)
    assert (graph.summary.status, graph.summary.graph_completeness) == ("completed", "full")


async def test_what_fails_for_good_lies_in_the_dead_letter_queue(rabbitmq: RabbitMQ) -> None:
    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        raise LookupError("no such order")

    async with RabbitMQBench(rabbitmq) as bench:
        policy = RetryPolicy(max_retries=1, delay_ms=40)
        async with bench.working(TaskConsumer(rabbitmq=bench.client, handler=handle, retry_policy=policy)):
            message_id = await bench.client.publish_task(
                "order", {"total": 7}, headers={"traceparent": "00-a"}
            )
            await bench.until(("order", "failed"))
        work = bench.topology.tasks_queue  # type: ignore[attr-defined]
        [letter] = await bench.taken(dead_letter_queue_name(work), 1)
        graph = await bench.graph("order")
    assert letter.headers["x-relayna-message-id"] == message_id
    assert letter.headers["x-relayna-retry-attempt"] == 1
    assert letter.headers["traceparent"] == "00-a"
    assert attempts(graph) == [("retried", "failed"), ("dead_lettered", "dead_lettered")]
    assert nodes(graph, "dlq_record") == ["retries_exhausted"]
    assert graph.summary.graph_completeness == "full"


async def test_a_manual_retry_comes_again_as_another_type(rabbitmq: RabbitMQ) -> None:
    seen: list[tuple[str | None, object]] = []

    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        seen.append((task.task_type, task.payload))
        if task.task_type == "small":
            await context.manual_retry(task_type="large", payload={"try": 2}, reason="too large")

    async with RabbitMQBench(rabbitmq) as bench:
        async with bench.working(TaskConsumer(rabbitmq=bench.client, handler=handle)):
            await bench.client.publish_task("photo", {"try": 1}, task_type="small")
            await bench.until(("photo", "completed"))
        graph = await bench.graph("photo")
    assert seen == [("small", {"try": 1}), ("large", {"try": 2})]
    assert nodes(graph, "task_attempt") == ["photo attempt 1", "photo attempt 2"]
    assert ("task-attempt:photo:1", "manual_retry_to", "task-attempt:photo:2") in edges(graph)


async def test_a_workflow_goes_from_stage_to_stage(rabbitmq: RabbitMQ) -> None:
    name = rabbitmq.name()
    topology = SharedStatusWorkflowTopology(
        rabbitmq_url=rabbitmq.url,
        workflow_exchange=f"{name}.flow",
        status_exchange=f"{name}.statuses",
        status_queue=f"{name}.statuses.all",
        stages=tuple(
            WorkflowStage(
                name=stage, queue=f"{name}.{stage}", binding_keys=(stage,), publish_routing_key=stage
            )
            for stage in ("cut", "sew")
        ),
        entry_routes=(WorkflowEntryRoute(name="shop", routing_key="new", target_stage="cut"),),
    )

    async def cut(message: WorkflowEnvelope, context: WorkflowContext) -> None:
        await context.publish_to_stage("sew", {"pieces": 4})

    async def sew(message: WorkflowEnvelope, context: WorkflowContext) -> None:
        await context.publish_status("completed", meta=message.payload)

    async with RabbitMQBench(rabbitmq, topology) as bench:
        consumers = (
            WorkflowConsumer(rabbitmq=bench.client, stage="cut", handler=cut),
            WorkflowConsumer(rabbitmq=bench.client, stage="sew", handler=sew),
        )
        async with bench.working(*consumers):
            await bench.client.publish_to_entry("shop", "coat")
            await bench.until(("coat", "completed"))
        graph = await bench.graph("coat")
    assert nodes(graph, "stage_attempt") == ["cut attempt 1", "sew attempt 1"]
    assert nodes(graph, "workflow_message") == ["cut", "sew"]
    assert [edge.kind for edge in graph.edges].count("stage_transitioned_to") == 1
    assert graph.summary.graph_completeness == "full"


async def test_children_report_to_the_shard_of_their_parent(rabbitmq: RabbitMQ) -> None:
    name = rabbitmq.name()
    topology = SharedTasksSharedStatusShardedAggregationTopology(
        rabbitmq_url=rabbitmq.url,
        tasks_exchange=f"{name}.tasks",
        tasks_queue=f"{name}.work",
        tasks_routing_key="task",
        status_exchange=f"{name}.statuses",
        status_queue=f"{name}.statuses.all",
        shard_count=2,
        aggregation_routing_prefix="pages",
        aggregation_queue_template=f"{name}.pages.{{shard}}",
    )
    reported: list[str] = []

    async def render(task: TaskEnvelope, context: TaskContext) -> None:
        if task.task_id == "report":
            for page in range(3):
                await context.spawn(task_id=f"page-{page}")
        else:
            await context.publish_aggregation_status("completed")

    async with RabbitMQBench(rabbitmq, topology) as bench:

        async def gather(report: StatusEnvelope, context: TaskContext) -> None:
            reported.append(report.task_id)
            if len(reported) == 3:
                await bench.client.publish_status("report", "completed", message="3 of 3")

        consumers = (
            TaskConsumer(rabbitmq=bench.client, handler=render, lifecycle_statuses=False),
            AggregationConsumer(rabbitmq=bench.client, handler=gather),
        )
        async with bench.working(*consumers):
            await bench.client.publish_task("report")
            await bench.until(("report", "completed"))
        graph = await bench.graph("report")
    assert sorted(reported) == ["page-0", "page-1", "page-2"] == sorted(graph.related_task_ids)
    assert [edge.kind for edge in graph.edges].count("aggregated_into") == 3
    assert graph.summary.graph_completeness == "full"


async def test_a_message_that_nobody_can_read_is_put_aside_and_its_neighbours_are_done(
    rabbitmq: RabbitMQ,
) -> None:
    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        pass

    async with RabbitMQBench(rabbitmq) as bench:
        work = bench.topology.tasks_queue  # type: ignore[attr-defined]
        async with bench.working(TaskConsumer(rabbitmq=bench.client, handler=handle, prefetch=2)):
            await bench.client.publish_task("before")
            poison = Message(body=b"\xff not JSON", message_id="m-poison")
            await bench.broker.publish(poison, exchange="", routing_key=work)
            await bench.client.publish_task("after")
            await bench.until(
                ("before", "completed"), ("after", "completed"), ("unreadable:m-poison", "failed")
            )
        [letter] = await bench.taken(dead_letter_queue_name(work), 1)
        graph = await bench.graph("unreadable:m-poison")
    assert (letter.body, letter.message_id) == (poison.body, "m-poison")
    assert nodes(graph, "dlq_record") == ["malformed_message"]


@pytest.fixture
def log(any_store: StoreUnderTest) -> RedisLog:
    return RedisLog(any_store.url, prefix=any_store.prefix)


def arguments(bench: RabbitMQBench, store: StoreUnderTest) -> tuple[str, str, str, str]:
    name = bench.topology.status_exchange.removesuffix(".statuses")
    return (bench.topology.rabbitmq_url, store.url, store.prefix, name)


@pytest.mark.fault
async def test_a_worker_killed_in_mid_task_leaves_an_abandoned_attempt_and_a_second_one(
    rabbitmq: RabbitMQ,
    any_store: StoreUnderTest,
    log: RedisLog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RELAYNA_TEST_HUNG", str(tmp_path / "hung"))
    async with RabbitMQBench(rabbitmq, log=log) as bench:
        async with worker_process(*arguments(bench, any_store)) as worker:
            await bench.client.publish_task("hang-1")
            await worker.says("began hang-1.")
            assert await worker.ends(signal.SIGKILL) == -signal.SIGKILL
        async with worker_process(*arguments(bench, any_store)) as worker:
            await bench.until(("hang-1", "completed"))
            assert await worker.ends(signal.SIGTERM) == 0
        graph = await bench.graph("hang-1")
    assert attempts(graph) == [("abandoned", "abandoned"), ("acked", "succeeded")]
    first, second = (node for node in graph.nodes if node.kind == "task_attempt")
    assert "redelivered" not in first.annotations
    assert second.annotations["redelivered"] is True
    assert nodes(graph, "status_event") == ["processing", "processing", "completed"]
    assert graph.annotations["completeness"] == ["unclosed"]


@pytest.mark.fault
async def test_a_task_that_kills_its_worker_is_put_aside_and_its_neighbours_are_done(
    rabbitmq: RabbitMQ, any_store: StoreUnderTest, log: RedisLog
) -> None:
    async with RabbitMQBench(rabbitmq, log=log) as bench:
        await bench.client.publish_task("kill-1")
        for number in range(3):
            await bench.client.publish_task(f"plain-{number}")
        for _ in range(2):  # one retry is allowed, so two may die of it
            async with worker_process(*arguments(bench, any_store)) as worker:
                assert await worker.ends() == -signal.SIGKILL
        async with worker_process(*arguments(bench, any_store)) as worker:
            await bench.until(
                ("kill-1", "failed"), *((f"plain-{number}", "completed") for number in range(3))
            )
            assert await worker.ends(signal.SIGTERM) == 0
        [letter] = await bench.taken(dead_letter_queue_name(bench.topology.tasks_queue), 1)  # type: ignore[attr-defined]
        graph = await bench.graph("kill-1")
    assert letter.headers["x-relayna-task-id"] == "kill-1"
    assert [outcome for outcome, _ in attempts(graph)] == ["abandoned", "abandoned", "dead_lettered"]
    assert nodes(graph, "dlq_record") == ["poison"]
