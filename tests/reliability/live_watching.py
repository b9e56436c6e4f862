"""What is seen of the processes of a live test: where the server listens, how fast the writer was, who waits in the store."""

from __future__ import annotations

import re

import anyio
import anyio.to_thread
from anyio.abc import TaskStatus
from consumer.rabbitmq.worker_process import WorkerProcess
from servers import StoreUnderTest

__all__ = ["LastWords", "Most", "blocked_connections", "where_it_listens"]

_ENOUGH_SECONDS = 180


class Most:
    """The most that there were at any look."""

    def __init__(self) -> None:
        self.most = 0
        self.looks = 0


async def blocked_connections(
    store: StoreUnderTest, *, task_status: TaskStatus[Most] = anyio.TASK_STATUS_IGNORED
) -> None:
    """Look again and again, until cancelled."""
    found = Most()
    task_status.started(found)
    while True:
        info = await anyio.to_thread.run_sync(store.admin.info, "clients")
        found.most = max(found.most, int(info["blocked_clients"]))
        found.looks += 1
        await anyio.sleep(0.02)


async def where_it_listens(server: WorkerProcess) -> str:
    """The URL of a live server."""
    await server.says(" .")
    found = re.search(r"http://\S+", server._said)
    assert found, server._said
    return found[0]


class LastWords:
    """How fast a writer says it was, once it is done. Fails when it ends before."""

    def __init__(self, writer: WorkerProcess) -> None:
        self._writer = writer
        self.text = "not done"

    async def __call__(self) -> None:
        """Have it begin, and wait for them."""
        assert self._writer.process.stdin is not None
        await self._writer.process.stdin.send(b"go\n")
        with anyio.fail_after(_ENOUGH_SECONDS):
            while "a second." not in self._writer._said:
                self._writer._said += await self._writer._output.receive()
        found = re.search(r"done at (.*)\.", self._writer._said)
        assert found, self._writer._said
        self.text = found[1]
