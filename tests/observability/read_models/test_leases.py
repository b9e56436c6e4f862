"""Shares of shards: everyone gets one, and nobody keeps what is another's."""

from __future__ import annotations

import pytest

from relayna.clock import FrozenClock
from relayna.observability.read_models.leases import ShardLeases
from relayna.streams import MemoryLog
from relayna.streams.memory_read_models import MemoryReadModels

pytestmark = pytest.mark.anyio

SHARDS = range(64)


def leases_of(owners: int) -> tuple[FrozenClock, list[ShardLeases]]:
    clock = FrozenClock()
    models = MemoryReadModels(MemoryLog(clock=clock), clock=clock)
    return clock, [ShardLeases(models, SHARDS, owner=f"{number}", clock=clock) for number in range(owners)]


async def turns(clock: FrozenClock, processes: list[ShardLeases], seconds: float) -> None:
    for _ in range(round(seconds * 4)):
        for process in processes:
            await process.turn()
        held = [shard for process in processes for shard in process.held]
        assert len(held) == len(set(held))
        clock.advance(0.25)


async def test_who_is_alone_has_all_almost_all_the_time() -> None:
    clock, [alone] = leases_of(1)
    await alone.turn()
    assert set(alone.held) == set(SHARDS)
    missing = 0
    for _ in range(400):
        clock.advance(0.25)
        await alone.turn()
        missing += len(SHARDS) - len(alone.held)
    assert missing / (400 * len(SHARDS)) < 0.05


@pytest.mark.parametrize("others", [1, 3])
async def test_who_comes_later_gets_a_share(others: int) -> None:
    clock, [first, *later] = leases_of(1 + others)
    await turns(clock, [first], 10)
    await turns(clock, [first, *later], 90)
    fair = len(SHARDS) / (1 + others)
    assert all(fair / 3 <= len(process.held) <= fair * 2 for process in (first, *later))
    assert sum(len(process.held) for process in (first, *later)) > len(SHARDS) * 0.8


async def test_what_a_dead_process_held_is_taken_over() -> None:
    clock, [dead, *alive] = leases_of(3)
    await turns(clock, [dead, *alive], 60)
    await turns(clock, alive, 30)
    assert sum(len(process.held) for process in alive) > len(SHARDS) * 0.8
    await dead.turn()
    assert not set(dead.held) & {shard for process in alive for shard in process.held}


async def test_busy_shards_are_not_given_up() -> None:
    clock, [one, other] = leases_of(2)
    await one.turn()
    for _ in range(200):
        await one.turn(busy=range(32))
        await other.turn()
        clock.advance(0.25)
        assert set(range(32)) <= set(one.held)


async def test_a_lease_that_ran_out_is_another_one() -> None:
    clock, [one] = leases_of(1)
    await one.turn()
    before = dict(one.held)
    clock.advance(20)
    await one.turn()
    assert not set(before.values()) & set(one.held.values())


async def test_released_shards_are_free_at_once() -> None:
    _, [one, other] = leases_of(2)
    await one.turn()
    await one.release(list(one.held))
    await other.turn()
    assert (len(one.held), len(other.held)) == (0, len(SHARDS))
