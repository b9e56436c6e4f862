"""A real server that a test may kill, freeze and start again, on the same port and the same data.

Owns the process. It keeps an append-only file that is synced with every write, unless told otherwise, so that
what it has acknowledged outlives it.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import anyio
import anyio.to_thread
import redis

from relayna.streams.embedded import EmbeddedServer, find_server

__all__ = ["StoreServer"]


class StoreServer(EmbeddedServer):
    """Options are those of the server's configuration, with `_` for `-`."""

    def __init__(self, directory: Path, *, binary: Path | None = None, **options: str) -> None:
        super().__init__(data_directory=directory, binary=binary or find_server())
        self._options = {
            "appendfsync": "always",
            **{name.replace("_", "-"): said for name, said in options.items()},
        }

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1."""
        return self._port

    def admin(self) -> redis.Redis:
        """A client of the test's own."""
        return redis.Redis.from_url(self.url)

    async def kill(self) -> None:
        """As `kill -9` does; return when it is gone."""
        process = self._process
        assert process is not None
        self._signal(signal.SIGKILL)
        await anyio.to_thread.run_sync(process.wait)

    async def restart(self) -> None:
        """Come back with what is on disk; return when it answers."""
        await anyio.to_thread.run_sync(self._start_again)

    def freeze(self, seconds: float) -> threading.Timer:
        """Stop it, and let it go on after so long whatever the test does. `join` waits for that."""
        self._signal(signal.SIGSTOP)
        timer = threading.Timer(seconds, self._signal, [signal.SIGCONT])
        timer.start()
        return timer

    def _start_again(self) -> None:
        former = self._process
        if former is not None and former.stdin is not None:
            former.stdin.close()
        assert self._binary is not None
        self._process = self._spawn(self._binary)
        assert self._comes_up(self._process), self._last_words()

    def _arguments(self) -> list[str]:
        # The last word on an option counts.
        options = [part for name, said in self._options.items() for part in (f"--{name}", said)]
        return super()._arguments() + options

    def _end_process(self) -> None:
        # What it keeps is not needed any more, and some of these servers could not save it.
        if self.pid is not None and self._process is not None and self._process.poll() is None:
            self._signal(signal.SIGKILL)
        super()._end_process()

    def _signal(self, number: int) -> None:
        assert self.pid is not None
        os.kill(self.pid, number)
