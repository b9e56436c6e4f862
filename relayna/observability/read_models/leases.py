"""Which shards are ours to fold: leases taken, renewed, and given up in turn so that all processes get a share.

Owns when that is done. Nobody knows how many others there are: each gives up a quarter of its shards now and
then, those it has held the longest, and leaves them alone for a moment. Who is alone has them back at once; who
holds fewer than others gains, until all hold about as many.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from msgspec import Struct

from relayna.clock import Clock
from relayna.instants import Instant
from relayna.mint import RandomMint
from relayna.streams.read_models import Lease, ReadModels

__all__ = ["LeaseTerms", "ShardLeases"]

_SHARE_GIVEN_UP: Final = 4


class LeaseTerms(Struct, frozen=True, kw_only=True):
    """How long things take, in seconds."""

    lease: float = 15.0
    """After which a dead process's shards are free for others."""
    renewal: float = 5.0
    """Between two renewals; and a share is given up as often."""
    left_alone: float = 0.5
    """How long what was given up is left to others."""


class ShardLeases:
    """The leases that this process holds."""

    def __init__(
        self,
        read_models: ReadModels,
        shards: Collection[int],
        *,
        owner: str | None = None,
        clock: Clock,
        terms: LeaseTerms | None = None,
    ) -> None:
        """`owner` names this process and no other; by default it is random."""
        self._models = read_models
        self._shards = shards
        self._owner = owner or RandomMint().producer()
        self._clock = clock
        self._terms = terms or LeaseTerms()
        self._held: dict[int, Lease] = {}
        """Those held longest first."""
        self._renewed_at: Instant | None = None
        self._left_alone_until: dict[int, Instant] = {}

    @property
    def held(self) -> dict[int, Lease]:
        """By shard."""
        return self._held

    async def turn(self, *, busy: Collection[int] = ()) -> None:
        """Renew what is due, give up a share but nothing of `busy`, and take what is free. Raises `StoreError`.

        A lease that ran out and was taken anew is another one: somebody may have written in between.
        """
        now = self._clock.now()
        if self._renewed_at is None or now - self._renewed_at >= _micros(self._terms.renewal):
            await self._renew(now, busy)
        left_alone = self._left_alone_until
        self._left_alone_until = {shard: until for shard, until in left_alone.items() if until > now}
        free = [one for one in self._shards if one not in self._held and one not in self._left_alone_until]
        if free:
            self._held.update((lease.shard, lease) for lease in await self._acquire(free))

    def lose(self, shard: int) -> None:
        """The store says that it is somebody else's."""
        self._held.pop(shard, None)

    async def release(self, shards: Collection[int]) -> None:
        """Give these up. Raises `StoreError`; then they run out."""
        leases = [lease for shard in shards if (lease := self._held.pop(shard, None)) is not None]
        if leases:
            await self._models.release(leases)

    async def _renew(self, now: Instant, busy: Collection[int]) -> None:
        if self._renewed_at is not None and self._held:
            idle = [shard for shard in self._held if shard not in busy]
            given_up = idle[: -(-len(self._held) // _SHARE_GIVEN_UP)]
            await self.release(given_up)
            until = Instant(now + _micros(self._terms.left_alone))
            self._left_alone_until.update(dict.fromkeys(given_up, until))
        if self._held:
            renewed = {lease.shard: lease for lease in await self._acquire(list(self._held))}
            self._held = {shard: renewed[shard] for shard in self._held if shard in renewed}
        self._renewed_at = now

    async def _acquire(self, shards: list[int]) -> list[Lease]:
        return await self._models.acquire(shards, self._owner, seconds=self._terms.lease)


def _micros(seconds: float) -> int:
    return round(seconds * 1_000_000)
