"""Workers whose message bodies have other names: the wire changes, what is recorded and drawn does not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from consumer.bench import QUICK, SHARED, Bench, attempts, nodes

from relayna.consumer import (
    Message,
    RelaynaClient,
    StatusHub,
    TaskConsumer,
    TaskContext,
    TaskEnvelope,
    WorkflowConsumer,
    WorkflowContext,
    WorkflowEnvelope,
)
from relayna.topologies import (
    ContractAliasConfig,
    SharedStatusWorkflowTopology,
    Topology,
    WorkflowEntryRoute,
    WorkflowStage,
)
from relayna.topologies.contract_aliases import ENVELOPE_FIELDS

pytestmark = pytest.mark.anyio

JOBS = ContractAliasConfig(field_aliases={"task_id": "job_id", "payload": "data", "status": "state"})
ALL = ContractAliasConfig(field_aliases={name: f"x-{name}" for name in ENVELOPE_FIELDS})
FLOW = SharedStatusWorkflowTopology(
    rabbitmq_url="amqp://broker.example",
    workflow_exchange="flow",
    status_exchange="statuses",
    status_queue="statuses.all",
    stages=(
        WorkflowStage(name="cut", queue="cut", binding_keys=("cut",), publish_routing_key="cut"),
        WorkflowStage(name="sew", queue="sew", binding_keys=("sew",), publish_routing_key="sew"),
    ),
    entry_routes=(WorkflowEntryRoute(name="shop", routing_key="new", target_stage="cut"),),
)


class NamedBench(Bench):
    """A bench whose messages have other names."""

    def __init__(self, aliases: ContractAliasConfig | None, topology: Topology = SHARED) -> None:
        self._aliases = aliases
        super().__init__(topology)

    def client_of(self, topology: Topology) -> RelaynaClient:
        return RelaynaClient(
            topology=topology,
            broker=self.broker,
            observation_sink=self.sink,
            clock=self.workers_clock,
            mint=self.mint,
            counters=self.counters,
            aliases=self._aliases,
        )


async def handle(task: TaskEnvelope, context: TaskContext) -> None:
    if task.task_type is None and context.retry_attempt == 0:
        raise KeyError("total")
    if task.task_type is None:
        await context.publish_status("half", meta={"task_id": "mine", "job_id": "mine"})
        await context.spawn({"task_id": "inner"}, task_type="child")
        await context.manual_retry(task_type="again", payload={"payload": 2})
    if task.task_type == "again":
        assert task.payload == {"payload": 2}
    if task.task_type == "child":
        assert task.payload == {"task_id": "inner"}


async def tasks_done(aliases: ContractAliasConfig | None) -> tuple[Any, ...]:
    """A scenario with every message that a task can lead to: its graph, its events, its statuses."""
    async with NamedBench(aliases) as bench:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=handle, retry_policy=QUICK, prefetch=1)
        await bench.work_off(
            consumer,
            publish=lambda: bench.client.publish_task("order", {"task_id": 1}, correlation_id="c"),
            retries=1,
        )
        await bench.client.publish_status("order", "archived", meta={"status": "mine"})
        statuses = await bench.messages("statuses.all")
        for message in statuses:
            await bench.broker.publish(message, exchange="", routing_key="statuses.all")
        async with bench.working(StatusHub(rabbitmq=bench.client)):
            await bench.broker.wait_until_empty("statuses.all")
        graph = await bench.graph("order")
        assert graph.summary.graph_completeness == "full"
        assert attempts(graph) == [
            ("retried", "failed"), ("manual_retry", "succeeded"), ("acked", "succeeded"),
        ]  # fmt: skip
        # What is on the status queue under other names was read as the statuses that they are.
        assert nodes(graph, "status_event").count("archived") == 1
        said = [json.loads(message.body) for message in statuses]
        return graph, await bench.events("order"), said, [message.headers for message in statuses]


@pytest.mark.parametrize("aliases", [JOBS, ALL], ids=["some", "all"])
async def test_the_graph_of_a_task_is_the_same(aliases: ContractAliasConfig) -> None:
    plain_graph, plain_events, plain_said, plain_headers = await tasks_done(None)
    graph, events, said, headers = await tasks_done(aliases)
    assert graph == plain_graph
    assert events == plain_events
    assert headers == plain_headers
    named = aliases.field_aliases
    assert said == [{named.get(name, name): value for name, value in body.items()} for body in plain_said]
    assert said != plain_said


async def workflow_done(aliases: ContractAliasConfig | None) -> tuple[Any, ...]:
    bodies: list[dict[str, Any]] = []

    async def cut(message: WorkflowEnvelope, context: WorkflowContext) -> None:
        bodies.append(json.loads(context._incoming.delivery.message.body))
        await context.publish_to_stage("sew", {"stage": "mine"}, meta={"payload": "mine"})

    async def sew(message: WorkflowEnvelope, context: WorkflowContext) -> None:
        assert (message.payload, message.meta) == ({"stage": "mine"}, {"payload": "mine"})
        assert (message.stage, message.origin_stage) == ("sew", "cut")
        bodies.append(json.loads(context._incoming.delivery.message.body))
        await context.publish_status("completed")

    async with NamedBench(aliases, FLOW) as bench:
        consumers = (
            WorkflowConsumer(rabbitmq=bench.client, stage="cut", handler=cut, prefetch=1),
            WorkflowConsumer(rabbitmq=bench.client, stage="sew", handler=sew, prefetch=1),
        )
        await bench.work_off(*consumers, publish=lambda: bench.client.publish_to_entry("shop", "coat"))
        return await bench.graph("coat"), bodies


async def test_the_graph_of_a_workflow_is_the_same() -> None:
    plain_graph, plain_bodies = await workflow_done(None)
    graph, bodies = await workflow_done(ALL)
    assert graph == plain_graph
    assert len(bodies) == 2
    assert bodies == [{f"x-{name}": value for name, value in body.items()} for body in plain_bodies]


async def test_a_letter_and_its_retries_keep_the_names_they_came_with() -> None:
    async def fail(task: TaskEnvelope, context: TaskContext) -> None:
        raise KeyError("total")

    async with NamedBench(JOBS) as bench:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=fail, retry_policy=QUICK)
        await bench.work_off(consumer, publish=lambda: bench.client.publish_task("order", 7), retries=2)
        [letter] = await bench.messages("work.dead_letters")
    assert json.loads(letter.body) == {"job_id": "order", "data": 7, "session_id": "order"}


async def test_workers_of_a_mixed_fleet_understand_both() -> None:
    handled: list[tuple[str, object]] = []

    async def note(task: TaskEnvelope, context: TaskContext) -> None:
        handled.append((task.task_id, task.payload))

    async def publish() -> None:
        for body in (
            b'{"job_id":"new","data":1}',
            b'{"task_id":"old","payload":2}',
            b'{"task_id":"stranger","job_id":"both","payload":3}',
        ):
            await bench.broker.publish(Message(body=body), exchange="", routing_key="work")

    async with NamedBench(JOBS) as bench:
        await bench.work_off(TaskConsumer(rabbitmq=bench.client, handler=note, prefetch=1), publish=publish)
    assert handled == [("new", 1), ("old", 2), ("both", 3)]
