"""A stream as it was read once, and whether what is read after it goes on from there.

Owns that judgement: on any doubt it says no, and the stream is read anew. Asks no store, and keeps nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct, field

from relayna.events import RecordedEvent
from relayna.ids import StreamId, TaskId
from relayna.instants import Instant
from relayna.streams import StreamPage, StreamState, TaskAddress
from relayna.streams.log import START

__all__ = ["KeptStream", "KeptStreams", "doubtful_streams", "known_streams"]


class KeptStream(Struct, frozen=True, kw_only=True):
    """Everything that a stream held, decoded. Shared by those who read it, and never changed."""

    state: StreamState
    """As it was when all of it had been read."""
    events: Sequence[RecordedEvent]
    kinds: Mapping[str, None]
    children: frozenset[TaskId]
    ended: Mapping[TaskId, Instant]
    decoded: int
    bytes: int
    """Of payloads."""
    mark: object = field(default_factory=object)
    """Tells this reading from every other, without keeping it alive."""

    @property
    def last_id(self) -> StreamId:
        """After which to read on."""
        return self.state.last_id or START

    def goes_on_in(self, page: StreamPage) -> bool:
        """Whether the stream is this one still, with the entries of this page, read after it, and no others.

        Nothing was trimmed, deleted, replaced or restored: it begins with the same entry, and has grown by as many
        entries as were added and as are here.
        """
        before, now, new = self.state, page.state, len(page.entries)
        return (
            now.first_id == before.first_id
            and now.length - before.length == new
            and now.entries_added - before.entries_added == new
            and now.last_id == (page.entries[-1].stream_id if new else before.last_id)
        )


KeptStreams: TypeAlias = Callable[[TaskAddress], KeptStream | None]
"""What was kept of a stream when it was read before; nothing when nothing was."""


def known_streams(kept: KeptStreams, addresses: Iterable[TaskAddress]) -> dict[TaskAddress, KeptStream]:
    """Those of these streams of which something was kept."""
    found = ((address, kept(address)) for address in addresses)
    return {address: stream for address, stream in found if stream is not None}


def doubtful_streams(
    known: Mapping[TaskAddress, KeptStream], pages: Iterable[StreamPage]
) -> list[TaskAddress]:
    """Those of which these pages, read after what is known of them, are not the rest."""
    there = ((page, known.get(page.address)) for page in pages)
    return [page.address for page, stream in there if stream and not stream.goes_on_in(page)]
