"""Batches on their way into the streams: one script call a shard, or a key at a time where that cannot be.

Owns which script is called when. While a cluster moves a slot, some of a shard's keys are on one node and
some on the other, and a call that names both is refused, also one that names a stream which does not exist
yet. So that recording goes on, the frames then go to each stream by itself, and the references to the feed
afterwards; only the frames' results count (docs/decisions/0010-our-own-routing-on-a-cluster.md).
"""

from __future__ import annotations

from collections.abc import Sequence

from relayna.errors import StoreRefused
from relayna.streams.keys import KeyGrammar, TaskAddress
from relayna.streams.log import FEED_FUSE, FEED_RETENTION_SECONDS, STREAM_FUSE, AppendResult
from relayna.streams.redis.batches import Batch, BatchOutcome, feed_reference, frame_results
from relayna.streams.redis.client import Reply
from relayna.streams.redis.failures import Failed
from relayna.streams.redis.script import ScriptCall, load_script
from relayna.streams.redis.store import Store

__all__ = ["Appender"]


class Appender:
    """Appends batches and says what became of them."""

    def __init__(self, keys: KeyGrammar, *, retention_ms: int, open_retention_ms: int) -> None:
        self._keys = keys
        self._retention_ms = retention_ms
        self._open_retention_ms = open_retention_ms
        self._together = load_script("append.lua")
        self._apart = load_script("append_apart.lua")

    async def append(self, store: Store, batches: Sequence[Batch]) -> list[BatchOutcome]:
        """What became of each batch, in order."""
        bounds = {"retention_ms": self._retention_ms, "open_retention_ms": self._open_retention_ms}
        calls = [batch.call(self._keys, **bounds) for batch in batches]
        answers = await self._together.run(store, calls) if calls else []
        outcomes = [batch.outcome(answer) for batch, answer in zip(batches, answers, strict=True)]
        split = [index for index, answer in enumerate(answers) if _keys_are_apart(answer)]
        if split:
            again = await self._append_apart(store, [batches[index] for index in split])
            for index, outcome in zip(split, again, strict=True):
                outcomes[index] = outcome
        return outcomes

    async def _append_apart(self, store: Store, batches: Sequence[Batch]) -> list[BatchOutcome]:
        streams = [(batch, address) for batch in batches for address in batch.streams]
        answers = await self._apart.run(store, [self._stream_call(*stream) for stream in streams])
        results: dict[int, AppendResult] = {}
        for (batch, address), answer in zip(streams, answers, strict=True):
            results.update(frame_results([position for position, _ in batch.streams[address]], answer))
        missed = await self._refer(store, batches, results)
        return [
            BatchOutcome(
                {position: results[position] for frames in batch.streams.values() for position, _ in frames},
                references_missed,
            )
            for batch, references_missed in zip(batches, missed, strict=True)
        ]

    def _stream_call(self, batch: Batch, address: TaskAddress) -> ScriptCall:
        tells = batch.tells.get(address)
        milliseconds = self._open_retention_ms if tells == "open" else self._retention_ms
        frames = (frame for _, frame in batch.streams[address])
        return ScriptCall(
            [self._keys.events(address)],
            [milliseconds, STREAM_FUSE, "ended" if tells == "ended" else "", "f", *frames],
        )

    async def _refer(
        self, store: Store, batches: Sequence[Batch], results: dict[int, AppendResult]
    ) -> list[int]:
        """Leave the references in the feeds; how many of each batch could not be left."""
        references = [
            [feed_reference(address) for address in batch.appended_to(results)] for batch in batches
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
        return [
            len(wanted)
            - (sum(isinstance(reply, bytes) for reply in answer) if isinstance(answer, list) else 0)
            for wanted, answer in zip(references, answers, strict=True)
        ]


def _keys_are_apart(answer: Reply) -> bool:
    return (
        isinstance(answer, Failed)
        and isinstance(answer.error, StoreRefused)
        and answer.error.problem.startswith("TRYAGAIN")
    )
