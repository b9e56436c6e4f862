"""The log: append-only streams, one a task, and a feed of references per shard.

Owns the protocol that memory and Redis implement under one contract suite (`tests/streams/log_contract.py`).
Knows nothing of what a payload means: frames are bytes here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import TracebackType
from typing import Literal, Protocol, Self, TypeAlias

from msgspec import Struct

from relayna.errors import InvalidSetting, StoreError
from relayna.ids import StreamId
from relayna.streams.keys import KeyGrammar, TaskAddress
from relayna.streams.outcomes import Outcome, Ruling, ruling

__all__ = [
    "DEFAULT_OPEN_RETENTION_SECONDS",
    "DEFAULT_RETENTION_SECONDS",
    "FEED_FUSE",
    "FEED_RETENTION_SECONDS",
    "PAGE_LIMIT",
    "START",
    "STREAM_FUSE",
    "Append",
    "AppendResult",
    "Appended",
    "Entry",
    "FeedReference",
    "Log",
    "NotAppended",
    "StreamPage",
    "StreamRange",
    "StreamState",
    "Tells",
    "checked_retention",
]

START = StreamId("0-0")
"""Before every entry."""

PAGE_LIMIT = 500
"""Entries a page, unless asked otherwise: larger replies cost more per entry."""

DEFAULT_RETENTION_SECONDS = 604_800
"""How long a stream outlives the end of its task, and each append after it, unless asked otherwise: 7 days."""

DEFAULT_OPEN_RETENTION_SECONDS = 2_592_000
"""How long the stream of a task that goes on outlives its last append, unless asked otherwise: 30 days."""

STREAM_FUSE = 100_000
"""Frames a stream keeps at least; somewhat above, the oldest go. Expiry is the bound, this is the fuse."""

FEED_RETENTION_SECONDS = 604_800
"""How long a feed outlives its last reference."""

FEED_FUSE = 100_000
"""References a feed keeps at least; somewhat above, the oldest go."""


Tells: TypeAlias = Literal["open", "ended"]
"""What facts say of their task as a whole: that it goes on, or that it has ended."""


class Append(Struct, frozen=True, gc=False):
    """A frame to be appended to the task's stream."""

    address: TaskAddress
    payload: bytes
    tells: Tells | None = None
    """What the frame says of its task, when it says either (`relayna.streams.lifespan`)."""


class Appended(Struct, frozen=True, gc=False):
    """The frame is in the stream, at this position."""

    stream_id: StreamId


class NotAppended(Struct, frozen=True):
    """The frame is not known to be in the stream.

    `outcome_unknown` is true when the request may have been carried out though no answer came back.
    """

    error: StoreError
    outcome_unknown: bool = False

    @property
    def ruling(self) -> Ruling:
        """What became of the frame, and whose trouble it is (`relayna.streams.outcomes`)."""
        return ruling(self.error, unheard=self.outcome_unknown)

    @property
    def outcome(self) -> Outcome:
        """What became of the frame."""
        return self.ruling.outcome


AppendResult: TypeAlias = Appended | NotAppended


class StreamRange(Struct, frozen=True, kw_only=True, gc=False):
    """What to read of one stream: entries after `after`, up to and with `until`, at most `limit`."""

    address: TaskAddress
    after: StreamId = START
    until: StreamId | None = None
    limit: int = PAGE_LIMIT
    newest: bool = False
    """Of more than `limit` entries the newest, not the oldest; in order all the same."""


class Entry(Struct, frozen=True, gc=False):
    """One stored frame."""

    stream_id: StreamId
    payload: bytes


class StreamState(Struct, frozen=True, kw_only=True, gc=False):
    """What is true of a stream as a whole at one moment. An absent stream has length 0 and no ids."""

    length: int = 0
    entries_added: int = 0
    """Entries ever appended; more than `length` when some were trimmed or deleted."""
    last_id: StreamId | None = None
    """That was given last, also when its entry has gone."""
    expires_in_ms: int | None = None
    first_id: StreamId | None = None
    """Of the oldest entry that is there."""


class StreamPage(Struct, frozen=True, kw_only=True, gc=False):
    """Entries in order, and the stream's state at the same moment."""

    address: TaskAddress
    entries: list[Entry]
    state: StreamState


class FeedReference(Struct, frozen=True, gc=False):
    """Something was appended to this task's stream."""

    stream_id: StreamId
    """Position in the feed."""
    address: TaskAddress


class Log(Protocol):
    """Streams of frames. Every method raises `StoreUnreachable` or `StoreRefused`, and nothing of a driver."""

    @property
    def keys(self) -> KeyGrammar:
        """How keys are spelled, and over how many shards."""

    async def append(self, appends: Sequence[Append]) -> list[AppendResult]:
        """Append each frame, in order within a task; one result for each, in the order given.

        A frame that cannot be appended harms no other. Each stream's expiry is moved on to the
        retention of this log when that is longer; to its open retention by frames that tell that the
        task is open; and set to the retention, also when that is shorter, by those that tell its end.
        One reference per task and call is left in the feed of its shard. Does not raise for a store
        that fails: that is in the results.
        """

    async def read(self, ranges: Sequence[StreamRange]) -> list[StreamPage]:
        """One page of each stream, all in one round trip a node; an absent stream is an empty page."""

    async def states(self, addresses: Sequence[TaskAddress]) -> list[StreamState]:
        """What is true of each stream now, in the order given; no entry is read.

        One round trip a node. Where something else than a stream lies, there is none.
        """

    async def changed(
        self, positions: Mapping[TaskAddress, StreamId], *, wait_seconds: float
    ) -> set[TaskAddress]:
        """Those of these streams that hold entries after the position given for them.

        Waits until there is one, at most `wait_seconds`; then the set is empty. Other streams than those
        told may have entries too by the time it returns. A stream that begins later counts, and where
        something else than a stream lies, nothing ever changes. May be cancelled at any time.
        """

    async def read_feed(
        self, shard: int, *, after: StreamId = START, limit: int = PAGE_LIMIT
    ) -> list[FeedReference]:
        """References after `after`, oldest first."""

    async def incarnations(self, shards: Collection[int]) -> Mapping[int, str]:
        """By shard, the name of the data set that answers for it; without those that do not say.

        A name changes when a server was restarted or another took its place: what the former one had
        acknowledged may be missing then. The same object again means that nothing has changed. Asks the
        store only after a new connection was made, an append has failed, or while a name of these shards
        is missing. Does not raise.
        """

    async def ping(self) -> None:
        """Return when the store answers."""

    async def __aenter__(self) -> Self:
        """Connect and check that the prefix has this number of shards (`ShardCountMismatch`)."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give connections back."""


def checked_retention(retention_seconds: int, open_retention_seconds: int) -> int:
    """For how long open tasks are kept: never less than ended ones. Raises `InvalidSetting`."""
    for name, seconds in (
        ("retention_seconds", retention_seconds),
        ("open_retention_seconds", open_retention_seconds),
    ):
        if seconds < 1:
            raise InvalidSetting(name, "argument", f"{seconds} is less than a second")
    return max(retention_seconds, open_retention_seconds)
