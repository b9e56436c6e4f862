"""A worker of the fleet, as a script. What becomes of a task is in its payload.

`spawn` asks for so many children; `fail` always raises; `hold_first` takes long the first time; `die` ends the process at once. Given a doom of `K:U`, the
process ends in the U-th microsecond after its K-th handler has begun, wherever it then is.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any, Final

import anyio
from consumer.rabbitmq.rabbitmq_bench import shared_topology

from relayna import Recorder, RedisLog, RelaynaClient, RetryPolicy, TaskConsumer, run_consumers
from relayna.consumer import TaskContext, TaskEnvelope

MAX_RETRIES: Final = 8
"""A process that dies takes what its neighbours were doing with it, and they must not be given up for that."""
PREFETCH: Final = 20
_TELLING: Final = 20
"""It says so when it has begun so many."""

_HOLD_SECONDS: Final = 2
"""Longer than RabbitMQ's consumer timeout is made to be."""


class Doom:
    """When this process ends itself."""

    def __init__(self, argument: str | None) -> None:
        begun, microseconds = (int(part) for part in (argument or "0:0").split(":"))
        self._at = begun
        self._seconds = microseconds / 1e6
        self._begun = 0

    def one_more(self) -> None:
        """A handler has begun."""
        self._begun += 1
        if self._begun == _TELLING:
            print(f"begun {_TELLING}")
        if self._begun == self._at:
            # In a thread: it must not wait for the event loop to come to a good place.
            threading.Timer(self._seconds, _die).start()


def retry_policy(max_retries: int) -> RetryPolicy:
    """Retries that take no time."""
    return RetryPolicy(max_retries=max_retries, delay_ms=50, backoff=1, jitter=0)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def work(place: list[str], doom: Doom) -> None:
    """Take tasks until told to end. The place: AMQP URL, Redis URL, prefix, names' beginning, retries."""
    amqp_url, redis_url, prefix, name, max_retries = place

    held: set[str] = set()

    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        doom.one_more()
        what: dict[str, Any] = task.payload or {}
        if what.get("die"):
            _die()
        if what.get("fail"):
            raise ValueError("as asked")
        if what.get("hold_first") and task.task_id not in held:
            held.add(task.task_id)
            await anyio.sleep(_HOLD_SECONDS)
        for number in range(what.get("spawn", 0)):
            await context.spawn(task_id=f"{task.task_id}.child-{number}")

    sink = Recorder(RedisLog(redis_url, prefix=prefix))
    client = RelaynaClient(
        topology=shared_topology(amqp_url, name, prefetch_count=PREFETCH), observation_sink=sink
    )
    consumer = TaskConsumer(rabbitmq=client, handler=handle, retry_policy=retry_policy(int(max_retries)))
    async with client, anyio.create_task_group() as tasks:
        await tasks.start(run_consumers, consumer)
        print("ready")


if __name__ == "__main__":
    *place, doomed = sys.argv[1:]
    anyio.run(work, place, Doom(doomed or None))
