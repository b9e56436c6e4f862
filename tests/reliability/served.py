"""`relayna serve` in a process of its own, over TCP, and how it fares: its memory, and whether it still lives.

Owns the process.
"""

from __future__ import annotations

import collections
import re
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio.to_thread
from cli.command_line import environment, hear_interrupts
from servers import StoreUnderTest

__all__ = ["Served", "served"]

_LISTENS = re.compile(r"listens on (http://\S+)")


class Served:
    """A running server."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self._process = process
        self.url = url

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def resident_mb(self) -> float:
        """What it has in memory now, in MB; Linux only."""
        return self._status("VmRSS")

    def most_resident_mb(self) -> float:
        """The most that it ever had in memory, in MB; Linux only."""
        return self._status("VmHWM")

    def _status(self, name: str) -> float:
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024 / 1e6


@asynccontextmanager
async def served(store: StoreUnderTest) -> AsyncIterator[Served]:
    """Serve what is in this store while the context lasts. Afterwards it must still have been alive."""
    process = await anyio.to_thread.run_sync(_start, store)
    with process:
        assert process.stderr is not None
        try:
            told = await anyio.to_thread.run_sync(process.stderr.readline)
            found = _LISTENS.search(told)
            assert found, told
            # What it goes on to say must not wait for a reader.
            rest = threading.Thread(target=collections.deque, args=(process.stderr, 100))
            rest.start()
            server = Served(process, found[1])
            yield server
            assert server.alive
            process.send_signal(signal.SIGINT)
            await anyio.to_thread.run_sync(process.wait)
            rest.join()
        finally:
            if process.poll() is None:
                process.kill()


def _start(store: StoreUnderTest) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-m", "relayna.cli.main", "serve", "--port", "0"]
    return subprocess.Popen(
        [*command, "--redis-url", store.url, "--prefix", store.prefix],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        preexec_fn=hear_interrupts,  # noqa: PLW1509 - it only sets a flag of the child
    )
