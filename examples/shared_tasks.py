"""Shared tasks: every worker takes from one queue."""

import os
import sys

import anyio

from relayna import (
    Recorder,
    RedisLog,
    RelaynaClient,
    RetryPolicy,
    SharedTasksSharedStatusTopology,
    TaskConsumer,
    TaskRequest,
    run_consumers,
)

TOPOLOGY = SharedTasksSharedStatusTopology(
    rabbitmq_url=os.environ.get("RELAYNA_AMQP_URL", "amqp://localhost"),
    tasks_exchange="example.photos",
    tasks_queue="example.photos.resize",
    tasks_routing_key="resize",
    status_exchange="example.photos.statuses",
    status_queue="example.photos.statuses.all",
    prefetch_count=4,
)


async def resize(task, context):
    await context.publish_status("resizing", meta={"width": task.payload["width"]})
    if task.task_id == "photo-7" and context.retry_attempt == 0:
        raise TimeoutError("the image server did not answer")


async def work(client):
    policy = RetryPolicy(max_retries=3, delay_ms=500)
    await run_consumers(TaskConsumer(rabbitmq=client, handler=resize, retry_policy=policy))


async def publish(client):
    await client.publish_tasks(
        [TaskRequest(task_id=f"photo-{n}", payload={"width": 640}) for n in range(1, 8)]
    )


async def main():
    log = RedisLog(os.environ.get("RELAYNA_REDIS_URL", "redis://localhost"))
    async with RelaynaClient(topology=TOPOLOGY, observation_sink=Recorder(log)) as client:
        await (publish(client) if "publish" in sys.argv else work(client))


if __name__ == "__main__":
    anyio.run(main)
