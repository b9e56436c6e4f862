"""A worker to see relayna at work with: it takes what it publishes itself, and some of it fails.

For deploy/compose.yaml. A worker of your own needs the same few lines: a topology, a sink, one argument for metrics.
"""

from __future__ import annotations

import itertools
import logging

import anyio

from relayna import (
    RedisLog,
    RelaynaClient,
    RetryPolicy,
    SharedTasksSharedStatusTopology,
    TaskConsumer,
    TaskRequest,
    run_consumers,
)
from relayna.observability.checks import StoreHealth
from relayna.observability.metrics import WorkerMetrics
from relayna.settings import Settings, load_settings
from relayna.streams import Recorder
from relayna.streams.spool import Spool

SECONDS_BETWEEN_TASKS = 2.0


def topology_of(settings: Settings) -> SharedTasksSharedStatusTopology:
    return SharedTasksSharedStatusTopology(
        rabbitmq_url=settings.amqp_url or "amqp://localhost",
        tasks_exchange="demo.photos",
        tasks_queue="demo.photos.resize",
        tasks_routing_key="resize",
        status_exchange="demo.photos.statuses",
        status_queue="demo.photos.statuses.all",
        prefetch_count=4,
    )


async def resize(task, context):
    """Every fifth photo needs a second try, and every seventeenth cannot be read at all."""
    await context.publish_status("resizing", meta={"width": task.payload["width"]})
    number = task.payload["number"]
    if number % 17 == 0:
        raise ValueError("this is no photo")
    if number % 5 == 0 and context.retry_attempt == 0:
        raise TimeoutError("the image server did not answer")


async def publish_for_ever(client):
    for number in itertools.count(1):
        await client.publish_tasks(
            [TaskRequest(task_id=f"photo-{number}", payload={"width": 640, "number": number})]
        )
        await anyio.sleep(SECONDS_BETWEEN_TASKS)


async def main():
    settings = load_settings().settings
    metrics = WorkerMetrics()
    log = RedisLog(settings.redis_url or "redis://localhost", prefix=settings.prefix)
    spool = None if settings.spool_directory is None else Spool(settings.spool_directory)
    client = RelaynaClient(
        topology=topology_of(settings), observation_sink=Recorder(log, spool=spool), counters=metrics
    )
    policy = RetryPolicy(max_retries=2, delay_ms=2_000, non_retryable=(ValueError,))
    async with client, anyio.create_task_group() as beside:
        beside.start_soon(StoreHealth(log, counters=metrics).watch)
        beside.start_soon(publish_for_ever, client)
        await run_consumers(TaskConsumer(rabbitmq=client, handler=resize, retry_policy=policy))
        beside.cancel_scope.cancel()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    anyio.run(main)
