"""Sharded aggregation: a report has 40 pages, each a task of its own, and one page fails."""

from __future__ import annotations

from typing import Final

import anyio

from relayna.cli.demo.world import DEMO_AMQP_URL, DemoWorld, Scenario
from relayna.consumer import (
    AggregationConsumer,
    RelaynaClient,
    RetryPolicy,
    StatusEnvelope,
    TaskConsumer,
    TaskContext,
    TaskEnvelope,
)
from relayna.topologies import SharedTasksSharedStatusShardedAggregationTopology

__all__ = ["REPORTS"]

_PAGES: Final = 40
_BAD_PAGE: Final = 17
_RETRIES: Final = 1
_TOPOLOGY: Final = SharedTasksSharedStatusShardedAggregationTopology(
    rabbitmq_url=DEMO_AMQP_URL,
    tasks_exchange="reports",
    tasks_queue="reports.tasks",
    tasks_routing_key="report",
    status_exchange="reports.statuses",
    status_queue="reports.statuses.all",
    shard_count=4,
    aggregation_routing_prefix="pages",
    aggregation_queue_template="reports.pages.{shard}",
    prefetch_count=8,
)


async def _render(task: TaskEnvelope, context: TaskContext) -> None:
    if task.task_type == "report":
        await context.publish_status("rendering", meta={"pages": _PAGES})
        for page in range(1, _PAGES + 1):
            await context.spawn({"page": page}, task_id=f"{task.task_id}-page-{page:02}", task_type="page")
        return
    await anyio.sleep(0.004)
    if task.payload["page"] == _BAD_PAGE:
        if context.retry_attempt == _RETRIES:
            await context.publish_aggregation_status("failed", message="no such chart: revenue-eu", now=True)
        raise LookupError("no such chart: revenue-eu")
    await context.publish_aggregation_status("completed")


class _Gatherer:
    """Ends the report when every page has reported."""

    def __init__(self, client: RelaynaClient) -> None:
        self._client = client
        self._reported: dict[str, str] = {}

    async def take(self, report: StatusEnvelope, context: TaskContext) -> None:
        self._reported[report.task_id] = report.status
        if len(self._reported) == _PAGES and report.parent_task_id is not None:
            failed = sorted(task_id for task_id, status in self._reported.items() if status == "failed")
            await self._client.publish_status(
                report.parent_task_id,
                "failed" if failed else "completed",
                message=f"{len(failed)} of {_PAGES} pages failed: {', '.join(failed)}" if failed else None,
            )


async def _play(world: DemoWorld) -> None:
    async with world.machine(world.placed(_TOPOLOGY)) as client:
        consumers = (
            TaskConsumer(
                rabbitmq=client,
                handler=_render,
                retry_policy=RetryPolicy(max_retries=_RETRIES, delay_ms=50, jitter=0),
                lifecycle_statuses=False,
                consumer_name="renderer-1",
            ),
            AggregationConsumer(rabbitmq=client, handler=_Gatherer(client).take, consumer_name="gatherer-1"),
        )
        async with world.working(*consumers):
            await client.publish_task("report-2026-11", {"month": "2026-11"}, task_type="report")
            await world.ended("report-2026-11")


REPORTS: Final = Scenario(
    name="sharded_aggregation",
    task_id="report-2026-11",
    story=f"a report of {_PAGES} pages; page {_BAD_PAGE} fails for good and takes the report with it",
    play=_play,
)
