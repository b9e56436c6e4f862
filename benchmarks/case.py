"""What a benchmark is, and what it is given. Owns the shapes and the server that a case has."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from uuid import uuid4

from msgspec import Struct

from benchmarks.figures import Figure
from benchmarks.histories import History, record_history
from benchmarks.workloads import Workload
from relayna.streams.embedded import EmbeddedServer, bundled_binary, find_server

__all__ = ["ROUNDS", "Bench", "Case", "store_binary"]

ROUNDS: Final = 5
"""At least so many samples of everything that varies."""


def store_binary() -> Path:
    """The server that is measured: the bundled Valkey where it is installed, so that runs compare."""
    return bundled_binary() or find_server()


class Bench:
    """One run of the benchmarks: how thorough it is, and a server of its own, started when first needed."""

    def __init__(self, *, quick: bool) -> None:
        self.quick = quick
        self.rounds = ROUNDS
        self._opened = ExitStack()
        self._server: EmbeddedServer | None = None
        self._histories: dict[str, tuple[int, History]] = {}

    @property
    def store_url(self) -> str:
        """Where a store listens that is this case's alone."""
        if self._server is None:
            self._server = self._opened.enter_context(EmbeddedServer(binary=store_binary()))
        return self._server.url

    @property
    def has_store(self) -> bool:
        """Whether this case has needed one yet."""
        return self._server is not None

    def end_store(self) -> None:
        """The next case begins with an empty one."""
        self._server = None
        self._opened.close()

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
        self.end_store()


class Case(Struct, frozen=True):
    """A benchmark: a name, what it tells, and how it is run."""

    name: str
    about: str
    run: Callable[[Bench], Iterable[Figure]]
