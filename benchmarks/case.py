"""What a benchmark is, and what it is given. Owns the shapes and the server that cases share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import uuid4

from msgspec import Struct

from benchmarks.figures import Figure
from benchmarks.histories import History, record_history
from benchmarks.workloads import Workload
from relayna.streams.embedded import EmbeddedServer, bundled_binary, find_server

__all__ = ["Bench", "Case", "store_binary"]


def store_binary() -> Path:
    """The server that is measured: the bundled Valkey where it is installed, so that runs compare."""
    return bundled_binary() or find_server()


class Bench:
    """One run of the benchmarks: how thorough it is, and a server of its own, started when first needed."""

    def __init__(self, *, quick: bool) -> None:
        self.quick = quick
        self.rounds = 5
        self._opened = ExitStack()
        self._server: EmbeddedServer | None = None
        self._histories: dict[str, tuple[int, History]] = {}

    @property
    def store_url(self) -> str:
        """Where a store listens that is this run's alone."""
        if self._server is None:
            self._server = self._opened.enter_context(EmbeddedServer(binary=store_binary()))
        return self._server.url

    def history(self, workload: Workload, events: int) -> History:
        """A history of at least so many events; recorded once and kept."""
        kept = self._histories.get(workload.kind)
        if kept is None or kept[0] < events:
            kept = self._histories[workload.kind] = (events, record_history(workload, events))
        return kept[1]

    def fresh_prefix(self) -> str:
        """A key prefix that nothing else uses."""
        return f"bench-{uuid4().hex[:8]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._opened.close()


class Case(Struct, frozen=True):
    """A benchmark: a name, what it tells, and how it is run."""

    name: str
    about: str
    run: Callable[[Bench], Iterable[Figure]]
