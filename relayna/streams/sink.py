"""Where consumers leave facts: the protocol between those who observe and the log.

Owns the protocol only. `relayna.streams.recording.recorder` implements it; tests may.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Protocol, Self

from relayna.events import Event, RecordedEvent
from relayna.ids import TaskId

__all__ = ["KEPT", "Durability", "ObservationSink"]


class Durability(enum.Enum):
    """What became of everything recorded before the promise was asked for."""

    STORED = "stored"
    """The store has acknowledged all of it."""
    SPOOLED = "spooled"
    """Some of it waits for the store on the local disk, which has confirmed it; the rest is stored."""
    PENDING = "pending"
    """The budget ran out; it is still held in memory and still being tried."""
    LOST = "lost"
    """Some of it was given up since the last promise; the loss is confessed in the stream."""


KEPT: Final = frozenset({Durability.STORED, Durability.SPOOLED})
"""All of it outlives this process, and the machine: whoever asked may go on."""


class ObservationSink(Protocol):
    """Takes facts without ever making the caller wait or fail."""

    def record(self, event: Event, *, topology_kind: str | None = None) -> None:
        """Take a fact. Never blocks and never raises; callable from any thread."""

    async def durable(self, *, budget_seconds: float = 0.25) -> Durability:
        """Flush, and wait until all that was recorded so far is stored, at most for the budget."""

    async def read(self, task_id: TaskId) -> Sequence[RecordedEvent]:
        """What the task's stream holds, in the log's order. Raises `StoreError`."""

    async def __aenter__(self) -> Self:
        """Open it; may be entered by several users, and closes with the last of them."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Flush with a deadline and close."""
