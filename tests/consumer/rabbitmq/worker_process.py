"""A worker in a process of its own, as users run theirs: started, told by signals, read by its output.

As a script it is that worker. Its tasks are called by what becomes of them: `kill-…` ends the process in
mid-task, `hang-…` waits for ever the first time; all others take a moment.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import anyio
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream
from consumer.broker_steps import PATIENCE_SECONDS

__all__ = ["WorkerProcess", "worker_process"]

_ROOT: Final = Path(__file__).parents[3]


class WorkerProcess:
    """One worker, and what it has said so far."""

    def __init__(self, process: Process) -> None:
        assert process.stdout is not None
        self.process = process
        self._output = TextReceiveStream(process.stdout)
        self._said = ""

    async def says(self, words: str) -> None:
        """Return when it has said this."""
        with anyio.fail_after(3 * PATIENCE_SECONDS):
            while words not in self._said:
                self._said += await self._output.receive()

    async def ends(self, signal_number: int | None = None) -> int:
        """Its return code, once it has ended; with a signal, after that."""
        if signal_number is not None:
            self.process.send_signal(signal_number)
        with anyio.fail_after(3 * PATIENCE_SECONDS):
            async for _ in self._output:
                pass  # read to its end: a full pipe would hold it up
            return await self.process.wait()


@asynccontextmanager
async def worker_process(*arguments: str, script: Path = Path(__file__)) -> AsyncIterator[WorkerProcess]:
    """A worker; it says `ready` once it takes deliveries.

    Arguments: AMQP URL, Redis URL, prefix, how the queues' names begin, and what the script takes beside.
    """
    path = os.pathsep.join((str(_ROOT), str(_ROOT / "tests")))
    command = [sys.executable, "-W", "error", "-u", str(script), *arguments]
    async with await anyio.open_process(
        command, stderr=None, env={**os.environ, "PYTHONPATH": path}
    ) as process:
        worker = WorkerProcess(process)
        try:
            yield worker
        finally:
            if process.returncode is None:
                process.kill()


async def _work(amqp_url: str, redis_url: str, prefix: str, name: str) -> None:
    from consumer.rabbitmq.rabbitmq_bench import shared_topology

    from relayna import Recorder, RedisLog, RelaynaClient, RetryPolicy, TaskConsumer, run_consumers

    hung = anyio.Path(os.environ.get("RELAYNA_TEST_HUNG", os.devnull))

    async def handle(task, context):  # type: ignore[no-untyped-def]  # as users write it
        await sink.durable()  # so that what is killed has been seen
        hangs = task.task_id.startswith("hang-") and not await hung.exists()
        if hangs:
            await hung.touch()
        print(f"began {task.task_id}.")
        if hangs:
            await anyio.sleep_forever()
        if task.task_id.startswith("kill-"):
            os.kill(os.getpid(), signal.SIGKILL)
        await anyio.sleep(0.005)

    sink = Recorder(RedisLog(redis_url, prefix=prefix))
    client = RelaynaClient(topology=shared_topology(amqp_url, name, prefetch_count=1), observation_sink=sink)
    policy = RetryPolicy(max_retries=1, delay_ms=50)
    consumers = [TaskConsumer(rabbitmq=client, handler=handle, retry_policy=policy) for _ in range(2)]
    async with client, anyio.create_task_group() as tasks:
        await tasks.start(run_consumers, *consumers)
        print("ready")


if __name__ == "__main__":
    anyio.run(_work, *sys.argv[1:])
