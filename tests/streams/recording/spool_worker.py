"""A worker with a spool, as a process of its own.

spool_worker.py URL DIRECTORY TASKS end     handles so many tasks and ends
spool_worker.py URL DIRECTORY TASKS stay    handles them, prints what durable() says and lives until it is killed
"""

from __future__ import annotations

import functools
import sys

import anyio

from relayna import MemoryBroker, RelaynaClient, SharedTasksSharedStatusTopology, TaskConsumer
from relayna.consumer import TaskContext, TaskEnvelope
from relayna.observability import RedisObservationStore, make_redis_observation_sink

TOPOLOGY = SharedTasksSharedStatusTopology(
    rabbitmq_url="amqp://broker.example",
    tasks_exchange="tasks",
    tasks_queue="work",
    tasks_routing_key="task",
    status_exchange="statuses",
    status_queue="statuses.all",
)


async def main(url: str, directory: str, tasks: str, then: str) -> None:
    handled: list[str] = []

    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        await context.publish_status("working")
        handled.append(task.task_id)

    sink = make_redis_observation_sink(RedisObservationStore(url), spool_directory=directory)
    broker = MemoryBroker()
    client = RelaynaClient(topology=TOPOLOGY, broker=broker, observation_sink=sink)
    consumer = TaskConsumer(rabbitmq=client, handler=handle)
    async with client, anyio.create_task_group() as running:
        await running.start(consumer.run)
        for number in range(int(tasks)):
            await client.publish_task(f"t{number}", {})
        await broker.idle(resting=[TOPOLOGY.status_queue])
        print(len(handled), (await sink.durable(budget_seconds=10)).value, flush=True)
        if then == "stay":
            await anyio.sleep_forever()
        consumer.stop()


if __name__ == "__main__":
    anyio.run(functools.partial(main, *sys.argv[1:]))
