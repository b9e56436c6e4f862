"""Shared tasks: a retry that succeeds, retries that end dead, a lost ack."""

from __future__ import annotations

from typing import Final

import anyio

from relayna.cli.demo.world import DEMO_AMQP_URL, DemoWorld, Scenario
from relayna.consumer import RetryPolicy, TaskConsumer, TaskContext, TaskEnvelope
from relayna.topologies import SharedTasksSharedStatusTopology

__all__ = ["INVOICES"]

_TOPOLOGY: Final = SharedTasksSharedStatusTopology(
    rabbitmq_url=DEMO_AMQP_URL,
    tasks_exchange="invoices",
    tasks_queue="invoices.tasks",
    tasks_routing_key="invoice",
    status_exchange="invoices.statuses",
    status_queue="invoices.statuses.all",
    prefetch_count=4,
)


class CardDeclined(Exception):
    """What the payment provider said."""


async def _charge(task: TaskEnvelope, context: TaskContext) -> None:
    await context.publish_status("charging", meta={"amount": task.payload["amount"], "currency": "EUR"})
    await anyio.sleep(0.02)
    if task.task_id == "invoice-1042":
        raise CardDeclined("card ending 4242: insufficient funds")
    if task.task_id == "invoice-1041" and context.retry_attempt == 0:
        raise TimeoutError("the payment provider did not answer within 5 s")


async def _play(world: DemoWorld) -> None:
    async with world.machine(world.placed(_TOPOLOGY)) as client:
        consumer = TaskConsumer(
            rabbitmq=client,
            handler=_charge,
            retry_policy=RetryPolicy(max_retries=2, delay_ms=60, jitter=0),
            consumer_name="billing-1",
        )
        async with world.working(consumer):
            for number, amount in ((1041, 120), (1042, 980)):
                await client.publish_task(f"invoice-{number}", {"amount": amount}, correlation_id="order-77")
            await world.ended("invoice-1041", "invoice-1042")
            # The ack of this one gets lost with its channel: the broker hands the message out again.
            world.lose_ack("invoice-1043")
            await client.publish_task("invoice-1043", {"amount": 15}, correlation_id="order-78")
            await world.ended("invoice-1043", anomaly="lost_ack")


INVOICES: Final = Scenario(
    name="shared",
    task_id="invoice-1042",
    story="a card is declined: two retries, then a dead letter",
    other_tasks=(
        ("invoice-1041", "a time-out, then a retry that succeeds"),
        ("invoice-1043", "a lost ack: delivered twice, handled once"),
    ),
    play=_play,
)
