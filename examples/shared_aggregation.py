"""Sharded aggregation: a report's pages are tasks of their own, and one consumer gathers what they report."""

import os
import sys

import anyio

from relayna import (
    AggregationConsumer,
    Recorder,
    RedisLog,
    RelaynaClient,
    SharedTasksSharedStatusShardedAggregationTopology,
    TaskConsumer,
    run_consumers,
)

PAGES = 5
TOPOLOGY = SharedTasksSharedStatusShardedAggregationTopology(
    rabbitmq_url=os.environ.get("RELAYNA_AMQP_URL", "amqp://localhost"),
    tasks_exchange="example.reports",
    tasks_queue="example.reports.tasks",
    tasks_routing_key="report",
    status_exchange="example.reports.statuses",
    status_queue="example.reports.statuses.all",
    shard_count=2,
    aggregation_routing_prefix="pages",
    aggregation_queue_template="example.reports.pages.{shard}",
)


async def render(task, context):
    if task.task_type == "page":
        await context.publish_aggregation_status("completed")
        return
    for page in range(1, PAGES + 1):
        await context.spawn({"page": page}, task_id=f"{task.task_id}-page-{page}", task_type="page")


def gathering(client):
    """A real one would keep its count where a restart cannot lose it."""
    reported = set()

    async def gather(report, context):
        reported.add(report.task_id)
        if len(reported) == PAGES:
            await client.publish_status(report.parent_task_id, "completed", message=f"all {PAGES} pages")

    return gather


async def main():
    log = RedisLog(os.environ.get("RELAYNA_REDIS_URL", "redis://localhost"))
    async with RelaynaClient(topology=TOPOLOGY, observation_sink=Recorder(log)) as client:
        if "publish" in sys.argv:
            await client.publish_task("report-7", task_type="report")
        else:
            await run_consumers(
                # The report ends when its pages have ended, not when the first handler returns.
                TaskConsumer(rabbitmq=client, handler=render, lifecycle_statuses=False),
                AggregationConsumer(rabbitmq=client, handler=gathering(client)),
            )


if __name__ == "__main__":
    anyio.run(main)
