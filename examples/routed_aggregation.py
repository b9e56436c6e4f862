"""Sharded aggregation with routed tasks: the children are of another type than their parent."""

import os
import sys

import anyio

from relayna import (
    AggregationConsumer,
    Recorder,
    RedisLog,
    RelaynaClient,
    RoutedTasksSharedStatusShardedAggregationTopology,
    TaskConsumer,
    run_consumers,
)

REGIONS = ("north", "south", "west")


def topology(task_type):
    return RoutedTasksSharedStatusShardedAggregationTopology(
        rabbitmq_url=os.environ.get("RELAYNA_AMQP_URL", "amqp://localhost"),
        tasks_exchange="example.surveys",
        tasks_queue=f"example.surveys.{task_type}",
        task_types=(task_type,),
        status_exchange="example.surveys.statuses",
        status_queue="example.surveys.statuses.all",
        shard_count=2,
        aggregation_routing_prefix="regions",
        aggregation_queue_template="example.surveys.regions.{shard}",
    )


async def plan(task, context):
    for region in REGIONS:
        await context.spawn(task_id=f"{task.task_id}-{region}", task_type="region")


async def ask(task, context):
    await context.publish_aggregation_status("completed", meta={"answers": len(task.task_id)})


def gathering(client):
    """A real one would keep its sums where a restart cannot lose them."""
    answers = {}

    async def gather(report, context):
        answers[report.task_id] = report.meta["answers"]
        if len(answers) == len(REGIONS):
            await client.publish_status(
                report.parent_task_id, "completed", meta={"answers": sum(answers.values())}
            )

    return gather


async def main():
    sink = Recorder(RedisLog(os.environ.get("RELAYNA_REDIS_URL", "redis://localhost")))
    async with (
        RelaynaClient(topology=topology("survey"), observation_sink=sink) as planners,
        RelaynaClient(topology=topology("region"), observation_sink=sink) as askers,
    ):
        if "publish" in sys.argv:
            await planners.publish_task("survey-7", task_type="survey")
        else:
            await run_consumers(
                TaskConsumer(rabbitmq=planners, handler=plan, lifecycle_statuses=False),
                TaskConsumer(rabbitmq=askers, handler=ask, lifecycle_statuses=False),
                AggregationConsumer(rabbitmq=askers, handler=gathering(askers)),
            )


if __name__ == "__main__":
    anyio.run(main)
