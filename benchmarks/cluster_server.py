"""A cluster of three masters on loopback that share the slots evenly, as benchmarks and tests need one.

Owns how its servers are started and introduced to each other. Moves no slot.
"""

from __future__ import annotations

import functools
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import redis

from relayna.streams.embedded import EmbeddedServer

__all__ = ["HOST", "SLOTS", "ClusterNode", "eventually", "free_port", "three_masters"]

HOST: Final = "127.0.0.1"
SLOTS: Final = 16_384

_STEPS: Final = 3_000
_STEP_SECONDS: Final = 0.01


class ClusterNode(EmbeddedServer):
    """A server that may become part of a cluster."""

    def __init__(self, *, binary: Path) -> None:
        super().__init__(binary=binary)
        self.bus_port = free_port()

    @property
    def port(self) -> int:
        """Where it listens, once entered."""
        return self._port

    @functools.cached_property
    def admin(self) -> redis.Redis:
        """A client of its own."""
        return redis.Redis(port=self._port)

    @functools.cached_property
    def id(self) -> str:
        """By which the others know it."""
        told: bytes = self.admin.cluster("MYID")
        return told.decode()

    def tell(self, *command: str | int) -> None:
        """Have it do this."""
        self.admin.execute_command(*command)  # type: ignore[no-untyped-call]

    def _arguments(self) -> list[str]:
        return [
            *super()._arguments(),
            "--cluster-enabled", "yes",
            "--cluster-port", str(self.bus_port),
            "--cluster-node-timeout", "5000",
            "--cluster-config-file", f"nodes-{self._port}.conf",
        ]  # fmt: skip


@contextmanager
def three_masters(binary: Path) -> Iterator[list[ClusterNode]]:
    """The masters, in the order of their slots, when all know of each other."""
    with ExitStack() as running:
        nodes = [running.enter_context(ClusterNode(binary=binary)) for _ in range(3)]
        first = nodes[0]
        for number, node in enumerate(nodes):
            running.callback(node.admin.close)
            start, end = number * SLOTS // 3, (number + 1) * SLOTS // 3 - 1
            node.tell("CLUSTER SET-CONFIG-EPOCH", number + 1)
            node.tell("CLUSTER ADDSLOTSRANGE", start, end)
            if node is not first:
                node.tell("CLUSTER MEET", HOST, first.port, first.bus_port)
        eventually(lambda: all(map(_is_whole, nodes)), "cluster_state:ok with all slots on three nodes")
        yield nodes


def eventually(condition: Callable[[], object], name: str) -> None:
    """Return when the condition holds. Raises `TimeoutError` when it does not within 30 s."""
    for _ in range(_STEPS):
        if condition():
            return
        time.sleep(_STEP_SECONDS)
    raise TimeoutError(f"waited in vain until {name}")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _is_whole(node: ClusterNode) -> bool:
    facts: dict[str, str] = node.admin.cluster("INFO")
    wanted = {
        "cluster_state": "ok", "cluster_slots_ok": str(SLOTS), "cluster_known_nodes": "3", "cluster_size": "3",
    }  # fmt: skip
    return wanted.items() <= facts.items()
