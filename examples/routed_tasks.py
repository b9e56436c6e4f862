"""Routed tasks: the type of a task is its routing key, and each worker binds the types it can do."""

import os
import sys

import anyio

from relayna import (
    Recorder,
    RedisLog,
    RelaynaClient,
    RoutedTasksSharedStatusTopology,
    TaskConsumer,
    run_consumers,
)


def topology(task_type):
    return RoutedTasksSharedStatusTopology(
        rabbitmq_url=os.environ.get("RELAYNA_AMQP_URL", "amqp://localhost"),
        tasks_exchange="example.scans",
        tasks_queue=f"example.scans.{task_type}",
        task_types=(task_type,),
        status_exchange="example.scans.statuses",
        status_queue="example.scans.statuses.all",
    )


async def read(task, context):
    if task.payload["language"] != "en":
        await context.manual_retry(task_type="translate", reason=f"it is in {task.payload['language']!r}")


async def translate(task, context):
    await context.publish_status("translating")


async def main():
    sink = Recorder(RedisLog(os.environ.get("RELAYNA_REDIS_URL", "redis://localhost")))
    async with (
        RelaynaClient(topology=topology("read"), observation_sink=sink) as readers,
        RelaynaClient(topology=topology("translate"), observation_sink=sink) as translators,
    ):
        if "publish" in sys.argv:
            await readers.publish_task("scan-7", {"language": "fi"}, task_type="read")
        else:
            await run_consumers(
                TaskConsumer(rabbitmq=readers, handler=read),
                TaskConsumer(rabbitmq=translators, handler=translate),
            )


if __name__ == "__main__":
    anyio.run(main)
