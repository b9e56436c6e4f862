"""A master, its replica and the sentinels that watch them, on loopback."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import redis
from cluster_servers import HOST, eventually, server_binary
from redis.backoff import NoBackoff
from redis.retry import Retry

from relayna.streams.embedded import EmbeddedServer

__all__ = ["SERVICE", "Watched", "place", "port_of"]

SERVICE = "orders"


class Watched:
    """A master and its replica, and the sentinels that watch them; ended with the context."""

    def __init__(self, *, sentinels: int = 1) -> None:
        self._count = sentinels
        self._running = ExitStack()
        self.servers: list[EmbeddedServer] = []
        """The master, then its replica, as they were at the start."""
        self.sentinels: list[EmbeddedServer] = []

    @property
    def url(self) -> str:
        """How relayna is told of it."""
        return f"redis+sentinel://{','.join(place(server) for server in self.sentinels)}/{SERVICE}"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._running.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._running.close()

    def _start(self) -> None:
        binary = server_binary()
        master = self._running.enter_context(EmbeddedServer(binary=binary))
        replica = self._running.enter_context(EmbeddedServer(binary=binary))
        self.servers = [master, replica]
        with redis.Redis.from_url(master.url) as admin:
            admin.config_set("repl-diskless-sync-delay", 0)
        with redis.Redis.from_url(replica.url) as admin:
            admin.replicaof(HOST, port_of(master))
            eventually(
                lambda: admin.info("replication")["master_link_status"] == "up", "the replica is in step"
            )
        for _ in range(self._count):
            sentinel = Sentinel(master, quorum=self._count // 2 + 1, binary=binary)
            self.sentinels.append(self._running.enter_context(sentinel))
        for sentinel in self.sentinels:
            eventually(lambda sentinel=sentinel: self._is_known(sentinel), "a sentinel knows all others")

    def _is_known(self, sentinel: EmbeddedServer) -> bool:
        with redis.Redis.from_url(sentinel.url) as admin:
            facts = admin.execute_command("SENTINEL", "MASTER", SERVICE)
        facts = facts if isinstance(facts, dict) else dict(zip(facts[::2], facts[1::2], strict=True))
        named = {_text(name): _text(value) for name, value in facts.items()}
        return (named["num-slaves"], named["num-other-sentinels"]) == ("1", str(self._count - 1))


class Sentinel(EmbeddedServer):
    """A sentinel that takes a silent master for dead within half a second."""

    def __init__(self, master: EmbeddedServer, *, quorum: int, binary: Path) -> None:
        super().__init__(binary=binary)
        self._master = master
        self._quorum = quorum

    def _arguments(self) -> list[str]:
        configuration = Path(self._directory or "", "sentinel.conf")
        configuration.write_text(
            f"bind {HOST}\nport {self._port}\ndir {self._directory}\nlogfile {self._log_file}\n"
            f"sentinel monitor {SERVICE} {HOST} {port_of(self._master)} {self._quorum}\n"
            f"sentinel down-after-milliseconds {SERVICE} 500\n"
            f"sentinel failover-timeout {SERVICE} 2000\n",
            encoding="utf-8",
        )
        return [str(configuration), "--sentinel"]

    def _comes_up(self, process: subprocess.Popen[bytes]) -> bool:
        # Sentinels know no QUIT, with which other servers are asked.
        eventually(lambda: process.poll() is not None or self._answers(), "a sentinel answers")
        return process.poll() is None

    def _answers(self) -> bool:
        with redis.Redis.from_url(self.url, retry=Retry(NoBackoff(), 0)) as admin:
            try:
                return int(admin.info("server")["process_id"]) == self.pid
            except redis.RedisError:
                return False


def place(server: EmbeddedServer) -> str:
    """Host and port."""
    return server.url.removeprefix("redis://").partition("/")[0]


def port_of(server: EmbeddedServer) -> int:
    """The port it listens on."""
    return int(place(server).rpartition(":")[2])


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
