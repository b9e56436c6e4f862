"""What the contract suite of logs stands on: the harness of an implementation, tasks, and short ways to ask."""

from __future__ import annotations

from typing import Protocol

from msgspec.structs import replace

from relayna.ids import StreamId, TaskId, Tenant
from relayna.streams.keys import TaskAddress
from relayna.streams.log import (
    Append,
    Appended,
    AppendResult,
    Entry,
    Log,
    StreamPage,
    StreamRange,
    StreamState,
)

__all__ = [
    "HOSTILE_TASK_IDS", "OPEN_RETENTION_SECONDS", "ORDER", "RETENTION_SECONDS", "LogHarness", "address",
    "appended_ids", "aside", "frames", "page_of", "payloads",
]  # fmt: skip

RETENTION_SECONDS = 3_600
OPEN_RETENTION_SECONDS = 5 * RETENTION_SECONDS

HOSTILE_TASK_IDS = [
    "a/b", "..", ".", "{x}", "}", "{", "}{", "line\nbreak", "tab\tnul\0", "\N{GHOST}", "e\u0301", "\u00e9",
    "a:b", "a~b", "~", "%", "%2F", "*?[]", " ", "x" * 500, "\N{GHOST}" * 125, "\ud800", "T:1", "T", "1",
]  # fmt: skip


class LogHarness(Protocol):
    """A place for logs, and what a server or an operator can do to a stream there."""

    def log(
        self,
        *,
        shard_count: int = 4,
        retention_seconds: int = RETENTION_SECONDS,
        open_retention_seconds: int = OPEN_RETENTION_SECONDS,
    ) -> Log:
        """A log that is not entered yet. A harness is asked for one log only."""

    async def trim(self, of: TaskAddress, *, keep: int) -> None:
        """Drop all but the newest entries of the stream."""

    async def delete(self, of: TaskAddress) -> None:
        """Remove the stream."""

    async def age(self, of: TaskAddress, *, seconds: int) -> None:
        """Bring the stream nearer to its end."""


def address(task_id: str, tenant: str = "default") -> TaskAddress:
    return TaskAddress(TaskId(task_id), Tenant(tenant))


def appended_ids(results: list[AppendResult]) -> list[StreamId]:
    """The ids of results that must all be successes."""
    assert [result for result in results if not isinstance(result, Appended)] == []
    return [result.stream_id for result in results if isinstance(result, Appended)]


def aside(state: StreamState) -> StreamState:
    """The state without what passes by itself."""
    return replace(state, expires_in_ms=None)


async def page_of(log: Log, of: TaskAddress) -> StreamPage:
    (page,) = await log.read([StreamRange(address=of)])
    return page


def frames(of: TaskAddress, first: int, last: int) -> list[Append]:
    return [Append(of, b"%d" % number) for number in range(first, last)]


def payloads(entries: list[Entry]) -> list[bytes]:
    return [entry.payload for entry in entries]


ORDER = address("order")
