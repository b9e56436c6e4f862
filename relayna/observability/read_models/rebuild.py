"""Read models of some shards, made anew from the streams: one walk over all tasks, some at a time.

Owns the order of the steps: where the feed ends is noted before the walk begins, and becomes the checkpoint when
it has ended, so that what is appended meanwhile is folded afterwards. Until then there is none, and whoever takes
such a shard over begins anew.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Final

from relayna.errors import StoreError
from relayna.ids import StreamId, stream_position
from relayna.observability.read_models.folding import Folded, TaskFolder, each_at_once
from relayna.observability.read_models.sources import LogSource
from relayna.observability.read_models.terms import FOLD_VERSION
from relayna.streams import KeyGrammar, TaskAddress
from relayna.streams.log import START
from relayna.streams.read_models import Checkpoint, Lease, ReadModels

__all__ = ["Rebuild"]

_TASKS_A_STEP: Final = 500
_LOOKED_AT_A_STEP: Final = 20_000
_REFERENCES_A_PAGE: Final = 5_000


class Rebuild:
    """One walk, for shards whose leases are held."""

    def __init__(
        self, *, source: LogSource, keys: KeyGrammar, read_models: ReadModels, folder: TaskFolder
    ) -> None:
        self._source = source
        self._keys = keys
        self._models = read_models
        self._folder = folder
        self._positions: dict[int, StreamId] = {}
        self._leases: dict[int, Lease] = {}
        self.lost: set[int] = set()
        """Shards that turned out to be somebody else's."""
        self._some: list[TaskAddress] = []
        """Those of the walk that are being folded; after an error they are folded again."""
        self._walk: AsyncGenerator[TaskAddress, None] | None = None
        self._has_ended = False

    @property
    def begun(self) -> list[int]:
        """All that it was for."""
        return list(self._leases)

    @property
    def shards(self) -> list[int]:
        """Those that it is for, and that are still ours."""
        return list(self._positions)

    async def begin(self, lease: Lease, *, cleared: bool) -> None:
        """Note where the shard's feed ends; `cleared` forgets what its rows say. Raises `StoreError`."""
        self._leases[lease.shard] = lease
        if cleared and await self._models.clear(lease) == "lease_lost":
            self._lose(lease.shard)
            return
        self._positions[lease.shard] = await self._end_of_feed(lease.shard)

    async def step(self, leases: Mapping[int, Lease]) -> Folded | None:
        """Fold some more tasks; None when the walk has ended and checkpoints are written. Raises `StoreError`.

        Shards without a lease here, and those whose lease turns out to be lost, are given up.
        """
        for shard in self.shards:
            if leases.get(shard) != self._leases[shard]:  # who had it meanwhile may have cleared it
                self._lose(shard)
        if not self._some and self._positions:
            self._some = await self._next_some()
        if not self._positions or (self._has_ended and not self._some):
            await self._finish()
            return None
        folded = await self._folder.fold(self._some)
        await each_at_once(self._store, folded.by_shard(self._keys))
        self._some = []
        return folded

    async def _store(self, shard: int, part: Folded) -> None:
        if await self._models.store(self._leases[shard], rows=part.rows) == "lease_lost":
            self._lose(shard)

    async def aclose(self) -> None:
        """End the walk, wherever it is."""
        if self._walk is not None:
            await self._walk.aclose()
            self._walk = None

    def _lose(self, shard: int) -> None:
        self._positions.pop(shard, None)
        self.lost.add(shard)

    async def _next_some(self) -> list[TaskAddress]:
        if self._walk is None:
            self._walk = self._source.addresses()
        some: list[TaskAddress] = []
        try:
            for _ in range(_LOOKED_AT_A_STEP):  # leases are renewed between steps
                address = await anext(self._walk, None)
                if address is None:
                    self._has_ended = True
                    break
                if self._keys.shard_of(address) in self._positions:
                    some.append(address)
                if len(some) == _TASKS_A_STEP:
                    break
        except StoreError:
            self._walk = None  # a walk that was interrupted cannot go on, and begins anew
            raise
        return some

    async def _finish(self) -> None:
        for shard, position in list(self._positions.items()):
            checkpoint = Checkpoint(fold_version=FOLD_VERSION, position=position)
            if await self._models.store(self._leases[shard], checkpoint=checkpoint) == "lease_lost":
                self._lose(shard)

    async def _end_of_feed(self, shard: int) -> StreamId:
        position = START
        while True:
            found = (await self._source.feeds({shard: position}, limit=_REFERENCES_A_PAGE))[shard]
            if not found or stream_position(found[-1].stream_id) == stream_position(position):
                return position
            position = found[-1].stream_id
