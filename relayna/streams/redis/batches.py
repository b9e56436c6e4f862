"""Appends gathered by shard: one script call each, and what its reply means for each frame.

Owns the arguments and the reply of `append.lua`. Sends nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast

from msgspec import Struct, field

from relayna.errors import StoreRefused
from relayna.ids import StreamId
from relayna.streams.log import (
    FEED_FUSE,
    FEED_RETENTION_SECONDS,
    STREAM_FUSE,
    Append,
    Appended,
    AppendResult,
    NotAppended,
    Tells,
)
from relayna.streams.outcomes import stopped_half_way
from relayna.streams.redis.client import Reply
from relayna.streams.redis.commands import packed_argument
from relayna.streams.redis.failures import Failed
from relayna.streams.redis.places import Place, Places
from relayna.streams.redis.replies import Packed
from relayna.streams.redis.script import ScriptCall

__all__ = ["Batch", "BatchStream", "Results", "batches_by_shard", "enter_results", "packed_bounds"]

Results = list[AppendResult]
"""For each frame, in the order asked for."""

_TELLS: Final[Mapping[Tells | None, bytes]] = {
    tells: packed_argument(tells or "") for tells in ("open", "ended", None)
}
_ONE: Final[Mapping[Tells | None, bytes]] = {
    tells: packed + packed_argument(1) for tells, packed in _TELLS.items()
}
"""For a stream of one frame, as most are."""


_stream_id: Final = cast("Callable[[bytes], StreamId]", bytes.decode)
"""A call of a `NewType` for each frame would be as dear as the decoding."""


class BatchStream(Struct, eq=False, gc=False):
    """The frames of one stream, by their positions among the appends asked for."""

    place: Place
    first: int
    tells: Tells | None
    """What the last frame that says so tells of its task."""
    later: list[int] | None = None
    """Those after the first; nothing, of most."""

    @property
    def positions(self) -> Sequence[int]:
        """All of them, in order."""
        return (self.first, *(self.later or ()))


class Batch(Struct, eq=False):
    """All frames of one shard."""

    shard: int
    appends: Sequence[Append]
    """All that were asked for, those of other shards too."""
    streams: dict[bytes, BatchStream] = field(default_factory=dict)
    """By their packed keys."""

    @property
    def positions(self) -> list[int]:
        """Of its frames, in the order in which the script is given them."""
        positions: list[int] = []
        for stream in self.streams.values():
            positions.append(stream.first)
            if stream.later:
                positions += stream.later
        return positions

    def call(self, feed: str, bounds: Packed) -> ScriptCall:
        """What `append.lua` is given; `bounds` are the arguments before the streams'."""
        appends = self.appends
        parts: list[bytes] = []
        count = 0
        for stream in self.streams.values():
            reference = stream.place.reference
            if stream.later is None:
                count += 4
                payload = appends[stream.first].payload
                parts.append(b"%b%b$%d\r\n%b\r\n" % (reference, _ONE[stream.tells], len(payload), payload))
                continue
            positions = stream.positions
            count += 3 + len(positions)
            parts += (reference, _TELLS[stream.tells], packed_argument(len(positions)))
            parts += (packed_argument(appends[position].payload) for position in positions)
        return ScriptCall(
            [feed, Packed(len(self.streams), b"".join(self.streams))],
            [bounds, Packed(count, b"".join(parts))],
        )

    def enter(self, answer: Reply, results: Results) -> int:
        """Enter what `append.lua` answered for each frame; how many streams the feed does not tell of."""
        if not isinstance(answer, list) or not answer:
            enter_results(self.positions, answer, results)
            return 0
        feed_error, *replies = answer
        enter_results(self.positions, replies, results)
        return len(self.appended_to(results)) if feed_error else 0

    def appended_to(self, results: Results) -> list[BatchStream]:
        """The streams that took any of their frames."""
        return [
            stream
            for stream in self.streams.values()
            if any(isinstance(results[position], Appended) for position in stream.positions)
        ]


def packed_bounds(*, retention_ms: int, open_retention_ms: int) -> Packed:
    """The same for every batch of a log."""
    bounds = (retention_ms, STREAM_FUSE, open_retention_ms, FEED_RETENTION_SECONDS * 1000, FEED_FUSE)
    return Packed(len(bounds), b"".join(map(packed_argument, bounds)))


def enter_results(positions: Sequence[int], answer: Reply, results: Results) -> None:
    """Enter what a script's answer, a reply for each frame, means for the frames at these positions."""
    if isinstance(answer, list) and len(answer) == len(positions):
        for position, reply in zip(positions, answer, strict=True):
            results[position] = Appended(_stream_id(reply)) if isinstance(reply, bytes) else _refusal(reply)
        return
    if isinstance(answer, Failed):
        # A script that the server stopped half-way has appended some of its frames.
        unknown = answer.outcome_unknown or stopped_half_way(answer.error)
        result = NotAppended(answer.error, unknown)
    else:
        odd = StoreRefused("EVALSHA", f"unexpected reply {answer!r:.100}")
        result = NotAppended(odd, outcome_unknown=True)
    for position in positions:
        results[position] = result


def batches_by_shard(places: Places, appends: Sequence[Append]) -> list[Batch]:
    """Gather frames by shard and stream, in order within a stream."""
    batches: dict[int, Batch] = {}
    place_of = places.of
    for position, append in enumerate(appends):
        place = place_of(append.address)
        batch = batches.get(place.shard)
        if batch is None:
            batch = batches[place.shard] = Batch(place.shard, appends)
        stream = batch.streams.get(place.stream)
        if stream is None:
            batch.streams[place.stream] = BatchStream(place, position, append.tells)
        else:
            if stream.later is None:
                stream.later = []
            stream.later.append(position)
            stream.tells = append.tells or stream.tells
    return list(batches.values())


def _refusal(reply: Reply) -> NotAppended:
    match reply:
        case [bytes() as problem]:
            return NotAppended(StoreRefused("XADD", problem.decode(errors="replace")))
        case _:
            return NotAppended(StoreRefused("XADD", f"unexpected reply {reply!r:.100}"), outcome_unknown=True)
