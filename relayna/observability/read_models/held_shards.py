"""The shards that this process folds, and where each of them stands: followed, or to be made anew.

Owns what is known of a shard only for as long as its lease is the same: whoever had it meanwhile may have written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, TypeAlias

from relayna.ids import StreamId
from relayna.observability.read_models.leases import ShardLeases
from relayna.observability.read_models.shard_feed import ShardFeed
from relayna.observability.read_models.terms import FOLD_VERSION
from relayna.streams import TaskAddress
from relayna.streams.log import FeedReference
from relayna.streams.read_models import Lease, ReadModels

__all__ = ["HeldShards", "RebuildReason"]

RebuildReason: TypeAlias = Literal["absent", "version", "feed_trimmed"]
"""Nothing was folded yet, or by another version of the fold, or references went unread."""


class HeldShards:
    """What is known under the leases that are held."""

    def __init__(self, leases: ShardLeases, read_models: ReadModels) -> None:
        self._leases = leases
        self._models = read_models
        self._known: dict[int, Lease] = {}
        self.feeds: dict[int, ShardFeed] = {}
        """Those that are followed."""
        self.to_rebuild: dict[int, RebuildReason] = {}

    @property
    def count(self) -> int:
        """How many shards are held."""
        return len(self._leases.held)

    def lease(self, shard: int) -> Lease:
        """Under which the shard is known."""
        return self._known[shard]

    @property
    def leases(self) -> Mapping[int, Lease]:
        """Those that are held now."""
        return self._leases.held

    async def settle(self, *, busy: Collection[int]) -> None:
        """Renew leases, take free ones, and find out where the shards stand that are new. Raises `StoreError`."""
        await self._leases.turn(busy={*busy, *self.to_rebuild})
        held = self._leases.held
        for shard, lease in list(self._known.items()):
            if held.get(shard) != lease:
                self.forget(shard)
        unknown = [shard for shard in held if shard not in self._known]
        if not unknown:
            return
        for shard, checkpoint in zip(unknown, await self._models.checkpoints(unknown), strict=True):
            self._known[shard] = held[shard]
            if checkpoint is None:
                self.to_rebuild[shard] = "absent"
            elif checkpoint.fold_version != FOLD_VERSION:
                self.to_rebuild[shard] = "version"
            else:
                self.feeds[shard] = ShardFeed(checkpoint.position)

    def positions(self) -> dict[int, StreamId]:
        """From where to read on in each feed."""
        return {shard: feed.position for shard, feed in self.feeds.items() if not feed.is_full}

    def take(self, found: Mapping[int, list[FeedReference]]) -> list[int]:
        """What was read from there; those shards whose feed does not reach back so far are to be made anew."""
        trimmed = [shard for shard, references in found.items() if not self.feeds[shard].take(references)]
        for shard in trimmed:
            del self.feeds[shard]
            self.to_rebuild[shard] = "feed_trimmed"
        return trimmed

    def waiting(self, leave: Collection[TaskAddress], most: int) -> tuple[list[TaskAddress], bool]:
        """Tasks to fold, without those to `leave` alone, of each shard as many; and whether these are all."""
        ready = [[one for one in feed.waiting if one not in leave] for feed in self.feeds.values()]
        share = max(1, most // max(1, sum(map(bool, ready))))
        return [address for one in ready for address in one[:share]], all(len(one) <= share for one in ready)

    def forget(self, shard: int) -> None:
        """Find out anew where it stands."""
        self._known.pop(shard, None)
        self.feeds.pop(shard, None)
        self.to_rebuild.pop(shard, None)

    def lose(self, shard: int) -> None:
        """The store says that it is somebody else's."""
        self._leases.lose(shard)
        self.forget(shard)

    async def release(self) -> None:
        """Give all of them up. Raises `StoreError`; then their leases run out."""
        for shard in list(self._known):
            self.forget(shard)
        await self._leases.release(list(self._leases.held))
