"""`relayna serve` in a process of its own, and clients of its live streams: raw connections, as many as wanted.

Owns starting and ending the service, and finding in what clients are told when each of them was told what.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Final
from urllib.parse import quote, urlsplit

import redis

__all__ = ["Follower", "LiveService", "followed_by", "live_service", "step_of", "told_step"]

_SCRIPT: Final = "from relayna.cli.main import main; main()"
_USER: Final = "service"
_LISTENS: Final = re.compile(r"http://127\.0\.0\.1:(\d+)")
_STEP: Final = re.compile(rb"step (\d{6})")
_LONGEST_EVENT: Final = 2**20
_CLOCK_TICKS: Final = os.sysconf("SC_CLK_TCK")


def told_step(number: int) -> str:
    """A status that nothing else looks like."""
    return f"step {number:06d}"


def step_of(payload: bytes) -> int:
    """The step that these bytes tell of."""
    found = _STEP.search(payload)
    if found is None:
        raise LookupError("These bytes tell of no step.")
    return int(found[1])


class Follower:
    """One client of one task's live stream. Remembers when it was told of each step."""

    def __init__(self, task: int) -> None:
        self.task = task
        self.told: dict[int, float] = {}
        """By step, on this process's clock."""
        self.is_there = asyncio.Event()
        """Set by the snapshot."""
        self._news = asyncio.Event()

    async def until_told(self, step: int) -> None:
        """Return as soon as this step was told."""
        while step not in self.told:
            self._news.clear()
            await self._news.wait()

    async def follow(self, port: int, task_id: str) -> None:
        """Read until the other side ends it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_LONGEST_EVENT)
        target = f"/executions/{quote(task_id, safe='')}/live"
        writer.write(
            f"GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n".encode()
        )
        try:
            while True:
                event = await reader.readuntil(b"\n\n")
                now = perf_counter()
                for step in _STEP.findall(event):
                    self.told.setdefault(int(step), now)
                self.is_there.set()
                self._news.set()
        except asyncio.IncompleteReadError:
            return
        finally:
            writer.close()


class LiveService:
    """A running service: where it listens, and what it takes of the machine and of the store."""

    def __init__(self, process: Process, port: int, store_url: str) -> None:
        self.port = port
        self._process = process
        self._store = redis.Redis.from_url(store_url)

    def connections(self) -> tuple[int, int]:
        """How many it has to the store, and how many of them wait in a blocking read."""
        clients = [client for client in self._store.client_list() if client["user"] == _USER]
        return len(clients), sum("b" in client["flags"] for client in clients)

    def processor_seconds(self) -> float:
        """What it has used of processors so far."""
        fields = self._process_file("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS

    def megabytes(self) -> float:
        """What it has resident."""
        line = next(line for line in self._process_file("status").splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024 / 1e6

    def _process_file(self, name: str) -> str:
        return Path(f"/proc/{self._process.pid}/{name}").read_text(encoding="utf-8")


@asynccontextmanager
async def live_service(store_url: str, prefix: str) -> AsyncIterator[LiveService]:
    """The service over this store, as a user of its own, so that its connections can be told from others."""
    with redis.Redis.from_url(store_url) as admin:
        admin.acl_setuser(
            _USER,
            enabled=True,
            reset=True,
            passwords=["+word"],
            keys=["*"],
            channels=["*"],
            commands=["+@all"],
        )
    parts = urlsplit(store_url)
    url = f"redis://{_USER}:word@{parts.hostname}:{parts.port}/0"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _SCRIPT,
        "serve",
        "--port",
        "0",
        "--redis-url",
        url,
        "--prefix",
        prefix,
        stderr=PIPE,
    )
    try:
        yield LiveService(process, await _port_of(process), store_url)
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


@asynccontextmanager
async def followed_by(
    service: LiveService, followers: Iterable[Follower], task_ids: list[str]
) -> AsyncIterator[None]:
    """All of them follow, and each has its snapshot."""
    followers = list(followers)
    async with asyncio.TaskGroup() as tasks:
        following = [tasks.create_task(one.follow(service.port, task_ids[one.task])) for one in followers]
        for one in followers:
            await one.is_there.wait()
        yield
        for task in following:
            task.cancel()


async def _port_of(process: Process) -> int:
    if process.stderr is None:
        raise RuntimeError("The service has no stderr to say where it listens.")
    said = (await process.stderr.readline()).decode()
    found = _LISTENS.search(said)
    if found is None:
        raise RuntimeError(f"The service does not listen: {said}")
    return int(found[1])
