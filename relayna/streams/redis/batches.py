"""Appends gathered by shard: one script call each, and what its reply means for each frame.

Owns the arguments and the reply of `append.lua`. Sends nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from msgspec import Struct, field

from relayna.errors import StoreRefused
from relayna.ids import StreamId
from relayna.streams.keys import KeyGrammar, TaskAddress
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
from relayna.streams.redis.failures import Failed
from relayna.streams.redis.script import ScriptCall

__all__ = ["Batch", "BatchOutcome", "batches_by_shard", "feed_reference", "frame_results"]


class BatchOutcome(Struct, frozen=True):
    """What became of a batch."""

    results: Mapping[int, AppendResult]
    """By the frame's position among the appends asked for."""
    references_missed: int = 0
    """Streams appended to that the feed does not tell of."""


class Batch(Struct, frozen=True):
    """All frames of one shard, by stream; each with its position among the appends asked for."""

    shard: int
    streams: dict[TaskAddress, list[tuple[int, bytes]]] = field(default_factory=dict)
    tells: dict[TaskAddress, Tells] = field(default_factory=dict)
    """What the last frame that says so tells of its task."""

    def call(self, keys: KeyGrammar, *, retention_ms: int, open_retention_ms: int) -> ScriptCall:
        """What `append.lua` is given."""
        names = [keys.feed(self.shard)]
        arguments: list[bytes | str | int] = [
            retention_ms, STREAM_FUSE, open_retention_ms, FEED_RETENTION_SECONDS * 1000, FEED_FUSE,
        ]  # fmt: skip
        for address, frames in self.streams.items():
            name, reference = _spelled(keys, address)
            names.append(name)
            arguments += (reference, self.tells.get(address, ""), len(frames))
            arguments += (payload for _, payload in frames)
        return ScriptCall(names, arguments)

    def outcome(self, answer: Reply) -> BatchOutcome:
        """What `append.lua` answered, for each frame."""
        positions = [position for frames in self.streams.values() for position, _ in frames]
        if not isinstance(answer, list) or not answer:
            return BatchOutcome(frame_results(positions, answer))
        feed_error, *replies = answer
        results = frame_results(positions, replies)
        return BatchOutcome(results, references_missed=len(self.appended_to(results)) if feed_error else 0)

    def appended_to(self, results: Mapping[int, AppendResult]) -> list[TaskAddress]:
        """The streams that took any of their frames."""
        return [
            address
            for address, frames in self.streams.items()
            if any(isinstance(results[position], Appended) for position, _ in frames)
        ]


def frame_results(positions: Sequence[int], answer: Reply) -> dict[int, AppendResult]:
    """What a script's answer, a reply for each frame, means for the frames at these positions."""
    if isinstance(answer, Failed):
        # A script that the server stopped half-way has appended some of its frames.
        unknown = answer.outcome_unknown or stopped_half_way(answer.error)
        return dict.fromkeys(positions, NotAppended(answer.error, unknown))
    if not isinstance(answer, list) or len(answer) != len(positions):
        odd = StoreRefused("EVALSHA", f"unexpected reply {answer!r:.100}")
        return dict.fromkeys(positions, NotAppended(odd, outcome_unknown=True))
    return {position: _result(reply) for position, reply in zip(positions, answer, strict=True)}


def batches_by_shard(keys: KeyGrammar, appends: Sequence[Append]) -> list[Batch]:
    """Gather frames by shard and stream, in order within a stream."""
    batches: dict[int, Batch] = {}
    for position, append in enumerate(appends):
        shard = keys.shard_of(append.address)
        batch = batches.get(shard)
        if batch is None:
            batch = batches[shard] = Batch(shard)
        batch.streams.setdefault(append.address, []).append((position, append.payload))
        if append.tells is not None:
            batch.tells[append.address] = append.tells
    return list(batches.values())


def feed_reference(address: TaskAddress) -> bytes:
    """The task as a feed tells of it: readable even where the key holds only a hash."""
    return f"{address.tenant}~{address.task_id}".encode(errors="surrogatepass")


@lru_cache(maxsize=8192)
def _spelled(keys: KeyGrammar, address: TaskAddress) -> tuple[str, bytes]:
    # Live tasks are appended to again and again, and percent-encoding is the dear part of a call.
    return keys.events(address), feed_reference(address)


def _result(reply: Reply) -> AppendResult:
    match reply:
        case bytes():
            return Appended(StreamId(reply.decode()))
        case [bytes() as problem]:
            return NotAppended(StoreRefused("XADD", problem.decode(errors="replace")))
        case _:
            return NotAppended(StoreRefused("XADD", f"unexpected reply {reply!r:.100}"), outcome_unknown=True)
