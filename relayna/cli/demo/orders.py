"""Workflow: four stages, two of them parallel, one with a retry, one on a machine whose clock is 90 s slow."""

from __future__ import annotations

from typing import Final

import anyio

from relayna.cli.demo.world import DEMO_AMQP_URL, DemoWorld, Scenario
from relayna.consumer import RetryPolicy, WorkflowConsumer, WorkflowContext, WorkflowEnvelope
from relayna.topologies import SharedStatusWorkflowTopology, WorkflowEntryRoute, WorkflowStage

__all__ = ["ORDERS"]


def _stage(name: str) -> WorkflowStage:
    key = f"order.{name}"
    return WorkflowStage(name=name, queue=f"orders.{name}", binding_keys=(key,), publish_routing_key=key)


_TOPOLOGY: Final = SharedStatusWorkflowTopology(
    rabbitmq_url=DEMO_AMQP_URL,
    workflow_exchange="orders",
    status_exchange="orders.statuses",
    status_queue="orders.statuses.all",
    stages=tuple(map(_stage, ("validate", "charge", "pack", "ship"))),
    entry_routes=(WorkflowEntryRoute(name="web-shop", routing_key="order.new", target_stage="validate"),),
)


async def _validate(message: WorkflowEnvelope, context: WorkflowContext) -> None:
    await anyio.sleep(0.01)
    await context.publish_to_stage("charge", message.payload)
    await context.publish_to_stage("pack", message.payload)


async def _charge(message: WorkflowEnvelope, context: WorkflowContext) -> None:
    await anyio.sleep(0.02)
    if context.retry_attempt == 0:
        raise ConnectionResetError("the payment provider closed the connection")
    await context.publish_to_stage("ship", {"paid": True})


async def _pack(message: WorkflowEnvelope, context: WorkflowContext) -> None:
    await context.publish_status("packing", meta={"shelf": "C-14"})
    await anyio.sleep(0.03)
    await context.publish_to_stage("ship", {"packed": True})


class _Shipping:
    """Ships an order once it is both paid and packed."""

    def __init__(self) -> None:
        self._waiting: dict[str, str] = {}

    async def take(self, message: WorkflowEnvelope, context: WorkflowContext) -> None:
        first = self._waiting.pop(message.task_id, None)
        if first is None:
            self._waiting[message.task_id] = message.message_id or ""
            return
        context.join([first])
        await anyio.sleep(0.01)
        await context.publish_status("completed", meta={"parcel": "JD014600004"})


async def _play(world: DemoWorld) -> None:
    policy = RetryPolicy(max_retries=2, delay_ms=60, jitter=0)
    topology = world.placed(_TOPOLOGY)
    async with world.machine(topology) as office, world.machine(topology, clock_off_by=-90.0) as warehouse:
        consumers = (
            WorkflowConsumer(rabbitmq=office, stage="validate", handler=_validate, consumer_name="office-1"),
            WorkflowConsumer(
                rabbitmq=office,
                stage="charge",
                handler=_charge,
                retry_policy=policy,
                consumer_name="office-2",
            ),
            WorkflowConsumer(rabbitmq=warehouse, stage="pack", handler=_pack, consumer_name="warehouse-1"),
            WorkflowConsumer(
                rabbitmq=office, stage="ship", handler=_Shipping().take, consumer_name="office-3"
            ),
        )
        async with world.working(*consumers):
            await office.publish_to_entry("web-shop", "order-77", {"items": 3})
            await world.ended("order-77")


ORDERS: Final = Scenario(
    name="workflow",
    task_id="order-77",
    story="four stages, two in parallel, one on a clock 90 s slow",
    play=_play,
)
