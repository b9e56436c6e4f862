"""One story for each kind of topology, told to any trial."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from topologies.sample_topologies import routed, routed_sharded, shared, shared_sharded, workflow

from relayna.consumer import AggregationConsumer, TaskConsumer, WorkflowConsumer
from relayna.consumer.service import Service
from relayna.testing import WorkerTrial
from relayna.topologies import Topology

__all__ = ["STORIES", "Story"]

PAGES = 3


class Story:
    """Workers, how they get something to do, and what is then to be seen."""

    def __init__(
        self,
        topology: Topology,
        consumers: Callable[[WorkerTrial], list[Service]],
        begin: Callable[[WorkerTrial], Awaitable[object]],
        statuses: list[str],
        edges: set[str],
    ) -> None:
        self.topology = topology
        self.consumers = consumers
        self.begin = begin
        self.statuses = statuses
        self.edges = edges


async def resize(task: Any, context: Any) -> None:
    await context.publish_status("resizing")


async def bill(task: Any, context: Any) -> None:
    if task.task_type == "email":
        await context.manual_retry(task_type="invoice", reason="it asks for money")


async def render(task: Any, context: Any) -> None:
    if task.parent_task_id is not None:
        await context.publish_aggregation_status("completed")
        return
    for page in range(PAGES):
        await context.spawn({}, task_id=f"{task.task_id}-page-{page}", task_type=task.task_type)


def gathering(trial: WorkerTrial) -> Callable[[Any, Any], Awaitable[None]]:
    reported: set[str] = set()

    async def gather(report: Any, context: Any) -> None:
        reported.add(report.task_id)
        if len(reported) == PAGES:
            await trial.client.publish_status(report.parent_task_id, "completed")

    return gather


async def ingest(message: Any, context: Any) -> None:
    await context.publish_to_stage("resize", {"width": 640})


async def finish(message: Any, context: Any) -> None:
    await context.publish_status("completed", meta=message.payload)


def report_workers(trial: WorkerTrial) -> list[Service]:
    return [
        TaskConsumer(rabbitmq=trial.client, handler=render, lifecycle_statuses=False),
        AggregationConsumer(rabbitmq=trial.client, handler=gathering(trial)),
    ]


STORIES = {
    "shared": Story(
        shared(),
        lambda trial: [TaskConsumer(rabbitmq=trial.client, handler=resize)],
        lambda trial: trial.client.publish_task("order-7", {"width": 640}),
        ["processing", "resizing", "completed"],
        {"received_by", "published_status"},
    ),
    "routed": Story(
        routed(),
        lambda trial: [TaskConsumer(rabbitmq=trial.client, handler=bill)],
        lambda trial: trial.client.publish_task("order-7", task_type="email"),
        ["processing", "manual_retrying", "processing", "completed"],
        {"received_by", "manual_retry_to", "published_status"},
    ),
    "shared_sharded": Story(
        shared_sharded(),
        report_workers,
        lambda trial: trial.client.publish_task("order-7"),
        ["completed"],
        {"received_by", "aggregated_into", "published_status"},
    ),
    "routed_sharded": Story(
        routed_sharded(),
        report_workers,
        lambda trial: trial.client.publish_task("order-7", task_type="invoice"),
        ["completed"],
        {"received_by", "aggregated_into", "published_status"},
    ),
    "workflow": Story(
        workflow(),
        lambda trial: [
            WorkflowConsumer(rabbitmq=trial.client, stage="ingest", handler=ingest),
            WorkflowConsumer(rabbitmq=trial.client, stage="resize", handler=finish),
        ],
        lambda trial: trial.client.publish_to_entry("upload", "order-7", {"name": "a.png"}),
        ["processing", "processing", "completed"],
        {"received_by", "entered_stage", "stage_transitioned_to", "published_status"},
    ),
}
