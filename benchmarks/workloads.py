"""One workload for each kind of topology: a topology, its consumers, and what is published to them.

Owns what the histories of the benchmarks look like: most messages succeed, some are retried, some retried
by hand, some given up; parents have children that report to them; stages fan out and join.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import asdict

from relayna.consumer import (
    AggregationConsumer,
    RelaynaClient,
    RetryPolicy,
    StatusEnvelope,
    TaskConsumer,
    TaskContext,
    TaskEnvelope,
    WorkflowConsumer,
    WorkflowContext,
    WorkflowEnvelope,
)
from relayna.consumer.consumer import Consumer
from relayna.topologies import (
    RoutedTasksSharedStatusShardedAggregationTopology,
    RoutedTasksSharedStatusTopology,
    SharedStatusWorkflowTopology,
    SharedTasksSharedStatusShardedAggregationTopology,
    SharedTasksSharedStatusTopology,
    Topology,
    WorkflowEntryRoute,
    WorkflowStage,
)

__all__ = ["STATUS_QUEUE", "TASK_ID", "TASK_QUEUE", "WORKLOADS", "Workload"]

TASK_ID: Final = "order/2026/000017"
STATUS_QUEUE: Final = "status"
TASK_QUEUE: Final = "work"

_RETRIES: Final = RetryPolicy(max_retries=2, delay_ms=1)
_CHILDREN: Final = 5
_GIVEN_UP, _RETRIED, _RETRIED_BY_HAND = 0, 1, 2  # of every ten messages


class Workload(Struct, frozen=True, kw_only=True):
    """A topology at work."""

    kind: str
    topology: Topology
    consumers: Callable[[RelaynaClient], Sequence[Consumer[Any]]]  # Any: each kind has its own envelope
    publish: Callable[[RelaynaClient, int], Awaitable[object]]
    """Publish the message of that number; all are of one task."""


async def _task(task: TaskEnvelope, context: TaskContext) -> None:
    number = task.payload["number"]
    await context.publish_status("working", message=f"step {number}", meta={"progress": number % 100})
    if number % 10 == _GIVEN_UP or (number % 10 == _RETRIED and not context.retry_attempt):
        raise ConnectionError(f"the warehouse did not answer about {number}")
    if number % 10 == _RETRIED_BY_HAND and not task.payload.get("again"):
        await context.manual_retry(
            task_type="pack", payload={"number": number, "again": True}, reason="moved"
        )


async def _parent_or_child(task: TaskEnvelope, context: TaskContext) -> None:
    if task.parent_task_id is None:
        for child in range(_CHILDREN):
            await context.spawn({"number": task.payload["number"] * _CHILDREN + child}, task_type="pick")
        return
    await _task(task, context)
    if context.manual_retry_request is None:
        await context.publish_aggregation_status("completed", meta={"parts": 1})


async def _report(report: StatusEnvelope, context: TaskContext) -> None:
    if report.meta.get("parts") != 1:
        raise ValueError(f"{report.task_id} reports no part")


async def _fetch(message: WorkflowEnvelope, context: WorkflowContext) -> None:
    await context.publish_status("fetching", meta={"number": message.payload["number"]})
    for part in range(3):
        await context.publish_to_stage("render", {"number": message.payload["number"], "part": part})


async def _render(message: WorkflowEnvelope, context: WorkflowContext) -> None:
    number, part = message.payload["number"], message.payload["part"]
    if (number % 10 == _GIVEN_UP and part == 1) or (number % 10 == _RETRIED and not context.retry_attempt):
        raise ConnectionError(f"no printer for {number}")
    if part == 2:
        await context.publish_to_stage("assemble", message.payload, group_key=str(number))


async def _assemble(message: WorkflowEnvelope, context: WorkflowContext) -> None:
    await context.publish_status("completed", message=f"number {message.payload['number']}")


def _task_consumers(client: RelaynaClient) -> list[Consumer[Any]]:
    return [TaskConsumer(rabbitmq=client, handler=_task, retry_policy=_RETRIES, prefetch=4)]


def _family_consumers(client: RelaynaClient) -> list[Consumer[Any]]:
    return [
        TaskConsumer(rabbitmq=client, handler=_parent_or_child, retry_policy=_RETRIES, prefetch=4),
        AggregationConsumer(rabbitmq=client, handler=_report, retry_policy=_RETRIES, prefetch=2),
    ]


def _stage_consumers(client: RelaynaClient) -> list[Consumer[Any]]:
    handlers = {"fetch": _fetch, "render": _render, "assemble": _assemble}
    return [
        WorkflowConsumer(rabbitmq=client, stage=stage, handler=handler, retry_policy=_RETRIES, prefetch=2)
        for stage, handler in handlers.items()
    ]


async def _publish_task(client: RelaynaClient, number: int) -> None:
    await client.publish_task(TASK_ID, {"number": number}, task_type="pick", correlation_id="basket-9")


async def _publish_message(client: RelaynaClient, number: int) -> None:
    await client.publish_to_entry("orders", TASK_ID, {"number": number}, correlation_id="basket-9")


def _stage(name: str) -> WorkflowStage:
    return WorkflowStage(
        name=name, queue=f"stage.{name}", binding_keys=(f"stage.{name}",), publish_routing_key=f"stage.{name}"
    )


_URL: Final = "amqp://localhost/"


def _of_tasks(kind: str, topology: Topology) -> Workload:
    return Workload(kind=kind, topology=topology, consumers=_task_consumers, publish=_publish_task)


def _of_families(kind: str, topology: Topology) -> Workload:
    return Workload(kind=kind, topology=topology, consumers=_family_consumers, publish=_publish_task)


_SHARED: Final = SharedTasksSharedStatusTopology(
    rabbitmq_url=_URL,
    status_exchange="statuses",
    status_queue=STATUS_QUEUE,
    tasks_exchange="tasks",
    tasks_queue=TASK_QUEUE,
    tasks_routing_key="work",
)
_ROUTED: Final = RoutedTasksSharedStatusTopology(
    rabbitmq_url=_URL,
    status_exchange="statuses",
    status_queue=STATUS_QUEUE,
    tasks_exchange="tasks",
    tasks_queue=TASK_QUEUE,
    task_types=("pick", "pack"),
)
_SHARED_SHARDED: Final = SharedTasksSharedStatusShardedAggregationTopology(
    **asdict(_SHARED),
    shard_count=2,
    aggregation_routing_prefix="aggregation",
    aggregation_queue_template="aggregation.{shard}",
)
_ROUTED_SHARDED: Final = RoutedTasksSharedStatusShardedAggregationTopology(
    **asdict(_ROUTED),
    shard_count=2,
    aggregation_routing_prefix="aggregation",
    aggregation_queue_template="aggregation.{shard}",
)
_WORKFLOW: Final = SharedStatusWorkflowTopology(
    rabbitmq_url=_URL,
    status_exchange="statuses",
    status_queue=STATUS_QUEUE,
    workflow_exchange="workflow",
    stages=(_stage("fetch"), _stage("render"), _stage("assemble")),
    entry_routes=(WorkflowEntryRoute(name="orders", routing_key="entry.orders", target_stage="fetch"),),
)

WORKLOADS: Final = (
    _of_tasks("shared", _SHARED),
    _of_tasks("routed", _ROUTED),
    _of_families("shared sharded", _SHARED_SHARDED),
    _of_families("routed sharded", _ROUTED_SHARDED),
    Workload(kind="workflow", topology=_WORKFLOW, consumers=_stage_consumers, publish=_publish_message),
)
