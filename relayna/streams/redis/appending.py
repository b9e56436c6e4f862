"""Batches on their way into the streams: one script call a shard, or a key at a time where that cannot be.

Owns which script is called when. While a cluster moves a slot, some of a shard's keys are on one node and
some on the other, and a call that names both is refused, also one that names a stream which does not exist
yet. So that recording goes on, the frames then go to each stream by itself, and the references to the feed
afterwards; only the frames' results count (docs/decisions/0010-our-own-routing-on-a-cluster.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from relayna.errors import StoreRefused
from relayna.streams.keys import KeyGrammar
from relayna.streams.log import FEED_FUSE, FEED_RETENTION_SECONDS, STREAM_FUSE, Append, NotAppended
from relayna.streams.redis.batches import (
    Batch,
    BatchStream,
    Results,
    batches_by_shard,
    enter_results,
    packed_bounds,
)
from relayna.streams.redis.client import Reply
from relayna.streams.redis.failures import Failed
from relayna.streams.redis.places import Places, feed_reference
from relayna.streams.redis.script import ScriptCall, load_script
from relayna.streams.redis.store import Store

__all__ = ["Appender"]

_NOT_YET: Final = NotAppended(StoreRefused("EVALSHA", "it was not asked"))
"""Stands where every result is entered later."""


class Appender:
    """Appends frames and says what became of them."""

    def __init__(self, keys: KeyGrammar, *, retention_ms: int, open_retention_ms: int) -> None:
        self._keys = keys
        self._places = Places(keys)
        self._retention_ms = retention_ms
        self._open_retention_ms = open_retention_ms
        self._bounds = packed_bounds(retention_ms=retention_ms, open_retention_ms=open_retention_ms)
        self._together = load_script("append.lua")
        self._apart = load_script("append_apart.lua")

    async def append(self, store: Store, appends: Sequence[Append]) -> tuple[Results, int]:
        """What became of each, in order; and how many streams were appended to that no feed tells of."""
        batches = batches_by_shard(self._places, appends)
        calls = [batch.call(self._keys.feed(batch.shard), self._bounds) for batch in batches]
        answers = await self._together.run(store, calls) if calls else []
        results: Results = [_NOT_YET] * len(appends)
        missed = 0
        split: list[Batch] = []
        for batch, answer in zip(batches, answers, strict=True):
            if _keys_are_apart(answer):
                split.append(batch)
            else:
                missed += batch.enter(answer, results)
        if split:
            missed += await self._append_apart(store, split, results)
        return results, missed

    async def _append_apart(self, store: Store, batches: Sequence[Batch], results: Results) -> int:
        streams = [(batch, stream) for batch in batches for stream in batch.streams.values()]
        answers = await self._apart.run(store, [self._stream_call(*each) for each in streams])
        for (_, stream), answer in zip(streams, answers, strict=True):
            enter_results(stream.positions, answer, results)
        return await self._refer(store, batches, results)

    def _stream_call(self, batch: Batch, stream: BatchStream) -> ScriptCall:
        milliseconds = self._open_retention_ms if stream.tells == "open" else self._retention_ms
        frames = (batch.appends[position].payload for position in stream.positions)
        return ScriptCall(
            [self._keys.events(stream.place.address)],
            [milliseconds, STREAM_FUSE, "ended" if stream.tells == "ended" else "", "f", *frames],
        )

    async def _refer(self, store: Store, batches: Sequence[Batch], results: Results) -> int:
        """Leave the references in the feeds; how many could not be left."""
        references = [
            [feed_reference(stream.place.address) for stream in batch.appended_to(results)]
            for batch in batches
        ]
        answers = await self._apart.run(
            store,
            [
                ScriptCall(
                    [self._keys.feed(batch.shard)],
                    [FEED_RETENTION_SECONDS * 1000, FEED_FUSE, "", "t", *wanted],
                )
                for batch, wanted in zip(batches, references, strict=True)
            ],
        )
        return sum(
            len(wanted)
            - (sum(isinstance(reply, bytes) for reply in answer) if isinstance(answer, list) else 0)
            for wanted, answer in zip(references, answers, strict=True)
        )


def _keys_are_apart(answer: Reply) -> bool:
    return (
        isinstance(answer, Failed)
        and isinstance(answer.error, StoreRefused)
        and answer.error.problem.startswith("TRYAGAIN")
    )
