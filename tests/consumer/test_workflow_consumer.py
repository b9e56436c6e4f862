"""Workflows: messages go from stage to stage, and the graph shows which led to which."""

from __future__ import annotations

from typing import Any

import pytest
from consumer.bench import QUICK, Bench, attempts, edges, nodes

from relayna.consumer import Message, RetryPolicy, WorkflowConsumer, WorkflowContext, WorkflowEnvelope
from relayna.errors import InvalidQuery
from relayna.topologies import SharedStatusWorkflowTopology, WorkflowEntryRoute, WorkflowStage

pytestmark = pytest.mark.anyio


def stage(name: str) -> WorkflowStage:
    return WorkflowStage(name=name, queue=f"q.{name}", binding_keys=(name,), publish_routing_key=name)


WORKFLOW = SharedStatusWorkflowTopology(
    rabbitmq_url="amqp://broker.example",
    workflow_exchange="flow",
    stages=tuple(map(stage, ("cut", "glue", "ship"))),
    entry_routes=(WorkflowEntryRoute(name="shop", routing_key="new", target_stage="cut"),),
    status_exchange="statuses",
    status_queue="statuses.all",
)


def consumer_of(bench: Bench, stage_name: str, handler: Any, **options: Any) -> WorkflowConsumer:
    return WorkflowConsumer(
        rabbitmq=bench.client, stage=stage_name, handler=handler, **{"retry_policy": QUICK, **options}
    )


async def pass_on(message: WorkflowEnvelope, context: WorkflowContext) -> None:
    await context.publish_to_stage("ship", message.payload, meta={"colour": "red"})


async def finish(message: WorkflowEnvelope, context: WorkflowContext) -> None:
    await context.publish_status("completed")


async def test_from_the_entry_to_the_end() -> None:
    seen: list[WorkflowEnvelope] = []

    async def ship(message: WorkflowEnvelope, context: WorkflowContext) -> None:
        seen.append(message)
        await finish(message, context)

    async with Bench(WORKFLOW) as bench:
        await bench.work_off(
            consumer_of(bench, "cut", pass_on),
            consumer_of(bench, "ship", ship),
            publish=lambda: bench.client.publish_to_entry(
                "shop", "order", [1], correlation_id="c", headers={"traceparent": "00-a"}
            ),
        )
        [message] = seen
        assert (message.payload, message.stage, message.origin_stage) == ([1], "ship", "cut")
        assert (message.correlation_id, message.session_id, message.meta) == ("c", "order", {"colour": "red"})
        assert await bench.told("order") == [
            "WorkflowMessagePublished",
            "WorkflowMessageReceived",
            "TaskLifecycleStatusPublished processing",
            "WorkflowMessagePublished",
            "WorkflowStageAcked",
            "WorkflowMessageReceived",
            "TaskLifecycleStatusPublished processing",
            "StatusPublished completed",
            "WorkflowStageAcked",
        ]
        graph = await bench.graph("order")
        first, second = (node.id for node in graph.nodes if node.kind == "workflow_message")
        assert edges(graph) >= {
            ("task:order", "received_by", first),
            (first, "entered_stage", "stage-attempt:order:cut:1"),
            ("stage-attempt:order:cut:1", "stage_transitioned_to", second),
            (second, "entered_stage", "stage-attempt:order:ship:1"),
        }
        assert (graph.summary.status, graph.summary.graph_completeness) == ("completed", "full")
        assert all(m.headers["traceparent"] == "00-a" for m in await bench.messages("statuses.all"))


async def test_a_stage_is_retried_and_then_given_up() -> None:
    async def fail(message: WorkflowEnvelope, context: WorkflowContext) -> None:
        raise KeyError("glue")

    async with Bench(WORKFLOW) as bench:
        await bench.work_off(
            consumer_of(bench, "glue", fail, retry_policy=RetryPolicy(max_retries=1, delay_ms=10)),
            publish=lambda: bench.client.publish_to_stage("glue", "order"),
            retries=1,
        )
        assert (await bench.told("order"))[1:] == [
            "WorkflowMessageReceived",
            "TaskLifecycleStatusPublished processing",
            "WorkflowStageFailed",
            "TaskLifecycleStatusPublished retrying",
            "ConsumerRetryScheduled",
            "WorkflowMessageReceived",
            "TaskLifecycleStatusPublished processing",
            "WorkflowStageFailed",
            "TaskLifecycleStatusPublished failed",
            "DeadLetterRecorded",
            "ConsumerDeadLetterPublished",
        ]
        [letter] = await bench.messages("q.glue.dead_letters")
        assert (letter.headers["x-relayna-stage"], letter.headers["x-relayna-retry-attempt"]) == ("glue", 1)
        graph = await bench.graph("order")
        assert attempts(graph) == [("retried", "failed"), ("dead_lettered", "dead_lettered")]
        assert len(nodes(graph, "workflow_message")) == 1
        assert graph.summary.graph_completeness == "full"


async def test_a_fan_in_is_one_attempt_with_several_messages() -> None:
    waiting: list[str] = []

    async def split(message: WorkflowEnvelope, context: WorkflowContext) -> None:
        for part in ("left", "right"):
            waiting.append(await context.publish_to_stage("ship", part, group_key=part))

    async def join(message: WorkflowEnvelope, context: WorkflowContext) -> None:
        if message.payload == "right":
            context.join([waiting[0]])
            await finish(message, context)

    async with Bench(WORKFLOW) as bench:
        await bench.work_off(
            consumer_of(bench, "cut", split),
            consumer_of(bench, "ship", join),
            publish=lambda: bench.client.publish_to_stage("cut", "order"),
        )
        graph = await bench.graph("order")
        left = f"workflow-message:{waiting[0]}"
        assert (left, "joined_from", "stage-attempt:order:ship:2") in edges(graph)
        assert graph.summary.graph_completeness == "full"


async def test_a_message_that_the_handler_made_itself() -> None:
    sent: list[str] = []

    async def forward(message: WorkflowEnvelope, context: WorkflowContext) -> None:
        own = WorkflowEnvelope(task_id="somebody else", stage="ship", payload="p")
        sent.append(await context.publish_workflow_message(own))
        named = WorkflowEnvelope(task_id="order", stage="ship", message_id="named")  # type: ignore[arg-type]
        sent.append(await context.publish_workflow_message(named, now=True))
        assert own.message_id is None
        for wrong in (WorkflowEnvelope(task_id="order"), WorkflowEnvelope(task_id="order", stage="paint")):
            with pytest.raises(InvalidQuery):
                await context.publish_workflow_message(wrong)

    seen: list[tuple[str, str]] = []

    async def ship(message: WorkflowEnvelope, context: WorkflowContext) -> None:
        seen.append((message.task_id, message.message_id or ""))

    async with Bench(WORKFLOW) as bench:
        await bench.work_off(
            consumer_of(bench, "cut", forward),
            consumer_of(bench, "ship", ship),
            publish=lambda: bench.client.publish_to_stage("cut", "order"),
        )
        assert sorted(seen) == sorted(("order", message_id) for message_id in sent)
        assert "named" in sent


async def test_a_repeated_stage_sends_the_same_messages() -> None:
    sent: list[str] = []

    async def cut(message: WorkflowEnvelope, context: WorkflowContext) -> None:
        first = not sent
        if not first:
            await context.publish_status("progress that only the repeat makes")
        sent.append(await context.publish_to_stage("glue"))
        sent.append(await context.publish_to_stage("ship"))
        sent.append(await context.publish_to_stage("ship"))
        if first:
            bench.broker.disconnect()
            bench.broker.reconnect()

    async with Bench(WORKFLOW) as bench:
        async with bench.working(consumer_of(bench, "cut", cut)):
            await bench.client.publish_to_stage("cut", "order")
            await bench.settled(resting=("q.glue", "q.ship"))
        assert sent[:3] == sent[3:]
        assert len(set(sent)) == 3
        [message] = await bench.messages("q.glue")
        assert message.headers["x-relayna-repeated"] is True


async def test_a_message_of_somebody_who_knows_nothing_of_us() -> None:
    async with Bench(WORKFLOW) as bench:
        body = b'{"task_id":"order","message_id":"m-1","stage":"ship","origin_stage":"glue"}'
        await bench.work_off(
            consumer_of(bench, "ship", finish),
            publish=lambda: bench.broker.publish(Message(body=body), exchange="flow", routing_key="ship"),
        )
        [received] = [e.body for e in await bench.events("order") if "Received" in type(e.body).__name__]
        assert (received.message_id, received.origin_stage, received.stage) == ("m-1", "glue", "ship")  # type: ignore[union-attr]


def test_a_stage_that_is_not_there_is_refused_at_once() -> None:
    with pytest.raises(InvalidQuery, match="cut, glue, ship"):
        consumer_of(Bench(WORKFLOW), "paint", finish)
