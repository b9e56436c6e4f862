"""What every implementation of read models does: the contract suite, run on memory and on real servers.

A test class inherits `ReadModelsContract` and has a fixture `harness` that gives a `ReadModelsHarness`.
"""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from streams.log_harness import HOSTILE_TASK_IDS, address, appended_ids
from streams.read_models_harness import (
    DAY,
    NAIVE_TENANTS,
    NOW,
    SHARDS,
    NaiveModels,
    Place,
    ReadModelsHarness,
    held,
    keep,
    row_for,
    some_rows,
)

from relayna.errors import InvalidQuery
from relayna.ids import Tenant
from relayna.instants import Instant
from relayna.streams.keys import TaskAddress
from relayna.streams.log import START, Append
from relayna.streams.read_models import (
    LARGEST_COUNT,
    Checkpoint,
    CountKey,
    IndexEntry,
    IndexPage,
    IndexTerm,
    Lease,
)

__all__ = ["ReadModelsContract"]

DEFAULT, OTHER = NAIVE_TENANTS
FAILED = IndexPage(tenant=DEFAULT, name="status", value="failed", limit=200)
RUNS = CountKey(20_454, "orders", "runs")

one_place = settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def failed(at: int, ref: str = "") -> IndexTerm:
    return IndexTerm("status", "failed", Instant(at), ref)


async def forget(place: Place) -> None:
    """Begin anew: examples of a law share a server."""
    for lease in (await held(place)).values():
        assert await place.models.clear(lease) == "stored"


async def read_all(place: Place, wanted: IndexPage) -> list[IndexEntry]:
    """Page after page until there is none."""
    found: list[IndexEntry] = []
    while True:
        page = await place.models.page(wanted)
        if not page:
            return found
        assert len(page) <= wanted.limit
        found += page
        wanted = IndexPage(
            tenant=wanted.tenant, name=wanted.name, value=wanted.value, since=wanted.since, until=wanted.until,
            newest_first=wanted.newest_first, limit=wanted.limit, after=page[-1],
        )  # fmt: skip


class RowContract:
    """Rows, counts and what takes them back."""

    async def test_rows_come_back_as_they_were(self, harness: ReadModelsHarness) -> None:
        terms = [failed(NOW), failed(NOW, "\ud800"), IndexTerm("\0", "\udfff", Instant(-(2**62)), "r")]
        rows = [
            row_for(address(name), *terms, data=bytes(range(256)), counts={RUNS: LARGEST_COUNT})
            for name in [*HOSTILE_TASK_IDS, "y" * 10_000]
        ]
        async with harness.open() as place:
            await keep(place, rows)
            found = await place.models.rows([row.address for row in rows] + [address("absent")])
            listed = await read_all(place, FAILED)

        assert found == [*rows, None]
        assert sorted({entry.task_id for entry in listed}) == sorted(row.address.task_id for row in rows)

    async def test_nothing_asked_gives_nothing(self, harness: ReadModelsHarness) -> None:
        async with harness.open() as place:
            assert await place.models.rows([]) == []
            assert await place.models.acquire([], "me", seconds=1) == []
            assert await place.models.checkpoints([]) == []
            assert await place.models.counts(DEFAULT, []) == {}
            assert await place.models.page(FAILED) == []
            assert await place.models.expired(0, before=NOW, limit=10) == []
            await place.models.release([])
            assert await place.models.store((await held(place))[0]) == "stored"

    @one_place
    @given(writes=st.lists(st.tuples(st.lists(some_rows, max_size=6), st.booleans()), max_size=6))
    async def test_whatever_is_written_in_whatever_order_all_agrees(
        self, harness: ReadModelsHarness, writes: list[tuple[list, bool]]
    ) -> None:
        naive = NaiveModels()
        async with harness.open() as place:
            await forget(place)
            for rows, is_removal in writes:
                removed = [row.address for row in rows] if is_removal else []
                await keep(place, [] if is_removal else rows, removed=removed)
                naive.write([] if is_removal else rows, removed)
            named = {term for rows, _ in writes for row in rows for term in row.terms}
            for tenant in NAIVE_TENANTS:
                assert await place.models.counts(tenant, [-1, 0, 20_454]) == naive.counts(
                    tenant, [-1, 0, 20_454]
                )
                for name, value in {(term.name, term.value) for term in named}:
                    wanted = IndexPage(tenant=tenant, name=name, value=value, limit=3)
                    whole = IndexPage(tenant=tenant, name=name, value=value, limit=1_000)
                    assert await read_all(place, wanted) == naive.page(whole)
            overdue = [
                await place.models.expired(shard, before=Instant(NOW + 2 * DAY), limit=100)
                for shard in range(SHARDS)
            ]

        assert set(itertools.chain(*overdue)) == naive.expired(Instant(NOW + 2 * DAY))

    async def test_of_a_task_named_twice_the_last_row_stands(self, harness: ReadModelsHarness) -> None:
        rows = [row_for("t", failed(at), counts={RUNS: at}, data=b"%d" % at) for at in (1, 2)]
        async with harness.open(shard_count=1) as place:
            await keep(place, rows, removed=[address("t")])

            assert await place.models.rows([address("t")]) == rows[1:]
            assert await place.models.page(FAILED) == [IndexEntry(Instant(2), "t")]
            assert await place.models.counts(DEFAULT, [RUNS.day]) == {RUNS: 2}

    async def test_many_rows_are_written_and_taken_back(self, harness: ReadModelsHarness) -> None:
        rows = [row_for(f"t{n}", failed(NOW + n), counts={RUNS: n}) for n in range(1, 702)]
        heavy = [
            row_for("heavy", *(failed(NOW - n, f"r{n}") for n in range(1, 2_001)), data=b"x" * 2_000_000)
        ]
        async with harness.open(shard_count=2) as place:
            await keep(place, rows + heavy)
            counted = await place.models.counts(DEFAULT, [RUNS.day])
            listed = await read_all(place, FAILED)
            await keep(place, rows[:1], removed=[row.address for row in rows[1:] + heavy])

            assert (counted, len(listed)) == ({RUNS: 701 * 702 // 2}, 2_701)
            assert await place.models.counts(DEFAULT, [RUNS.day]) == {RUNS: 1}
            assert await read_all(place, FAILED) == [IndexEntry(Instant(NOW + 1), "t1")]

    async def test_what_has_no_place_here_is_refused(self, harness: ReadModelsHarness) -> None:
        async with harness.open() as place:
            shard = place.log.keys.shard_of(address("t"))
            leases = await held(place)
            with pytest.raises(InvalidQuery, match=f"in shard {shard}"):
                await place.models.store(leases[(shard + 1) % SHARDS], rows=[row_for("t")])
            with pytest.raises(InvalidQuery, match="beyond"):
                await place.models.store(leases[shard], rows=[row_for("t", counts={RUNS: LARGEST_COUNT + 1})])
            assert await place.models.rows([address("t")]) == [None]


class PagingContract:
    """The index, page by page."""

    @pytest.mark.parametrize("newest_first", [True, False])
    @pytest.mark.parametrize("shard_count", [1, 16])
    async def test_every_entry_comes_once_and_in_order(
        self, harness: ReadModelsHarness, shard_count: int, newest_first: bool
    ) -> None:
        naive = NaiveModels()
        naive.write(
            row_for(f"t{n}", failed(NOW + n // 5, "a"), failed(NOW + n // 5, "b")) for n in range(120)
        )
        async with harness.open(shard_count=shard_count) as place:
            await keep(place, list(naive.rows.values()))
            for limit, since, until in (
                (1, 20, 22),
                (7, None, None),
                (50, 3, None),
                (200, None, 9),
                (90, 9, 3),
            ):
                wanted = IndexPage(
                    tenant=DEFAULT, name="status", value="failed", limit=limit, newest_first=newest_first,
                    since=None if since is None else Instant(NOW + since),
                    until=None if until is None else Instant(NOW + until),
                )  # fmt: skip
                whole = naive.page(
                    IndexPage(
                        tenant=DEFAULT, name="status", value="failed", limit=1_000, newest_first=newest_first,
                        since=wanted.since, until=wanted.until,
                    )
                )  # fmt: skip
                assert await read_all(place, wanted) == whole
                assert bool(whole) is (since != 9)

    async def test_one_shard_may_have_it_all(self, harness: ReadModelsHarness) -> None:
        async with harness.open(shard_count=16) as place:
            rows = [
                row_for("lone", *(failed(NOW + n, f"{n:03}") for n in range(150))),
                row_for("t", failed(NOW + 70)),
            ]
            await keep(place, rows)
            for newest_first in (True, False):
                wanted = IndexPage(
                    tenant=DEFAULT, name="status", value="failed", limit=100, newest_first=newest_first
                )
                naive = NaiveModels()
                naive.write(rows)
                assert await place.models.page(wanted) == naive.page(wanted)

    async def test_a_cursor_need_not_exist_any_more(self, harness: ReadModelsHarness) -> None:
        async with harness.open() as place:
            await keep(place, [row_for(f"t{n}", failed(NOW + n)) for n in range(6)])
            await keep(place, [], removed=[address("t3")])
            for newest_first, expected in ((True, ["t2", "t1", "t0"]), (False, ["t4", "t5"])):
                page = await place.models.page(
                    IndexPage(
                        tenant=DEFAULT, name="status", value="failed", newest_first=newest_first,
                        after=IndexEntry(Instant(NOW + 3), "t3"),
                    )
                )  # fmt: skip
                assert [entry.task_id for entry in page] == expected

    async def test_names_and_values_run_together_nowhere(self, harness: ReadModelsHarness) -> None:
        terms = [
            IndexTerm(name, value, NOW)
            for name, value in (("ab", "c"), ("a", "bc"), ("", "abc"), ("abc", ""))
        ]
        async with harness.open() as place:
            await keep(place, [row_for(f"t{n}", term) for n, term in enumerate(terms)])
            pages = [
                await place.models.page(IndexPage(tenant=DEFAULT, name=term.name, value=term.value))
                for term in terms
            ]

        assert [[entry.task_id for entry in page] for page in pages] == [["t0"], ["t1"], ["t2"], ["t3"]]

    async def test_no_limit_at_all_gives_nothing(self, harness: ReadModelsHarness) -> None:
        async with harness.open() as place:
            await keep(place, [row_for("t", failed(NOW), expires_at=NOW)])
            for limit in (0, -1):
                wanted = IndexPage(tenant=DEFAULT, name="status", value="failed", limit=limit)
                assert await place.models.page(wanted) == []
                assert (
                    await place.models.expired(place.log.keys.shard_of(address("t")), before=NOW, limit=limit)
                    == []
                )

    async def test_tenants_do_not_see_each_other(self, harness: ReadModelsHarness) -> None:
        mine, theirs = TaskAddress(address("t").task_id, DEFAULT), TaskAddress(address("t").task_id, OTHER)
        async with harness.open(shard_count=1) as place:
            await keep(
                place,
                [row_for(mine, failed(1), counts={RUNS: 1}), row_for(theirs, failed(2), counts={RUNS: 2})],
            )
            await keep(place, [], removed=[mine])

            assert await place.models.rows([mine, theirs]) == [
                None,
                row_for(theirs, failed(2), counts={RUNS: 2}),
            ]
            assert await place.models.page(FAILED) == []
            assert await place.models.counts(DEFAULT, [RUNS.day]) == {}
            assert await place.models.counts(OTHER, [RUNS.day]) == {RUNS: 2}
            assert await place.models.counts(Tenant("third"), [RUNS.day]) == {}

    async def test_what_is_longest_overdue_is_swept_first(self, harness: ReadModelsHarness) -> None:
        order = [("b", DEFAULT, 1), ("a", OTHER, 2), ("c", DEFAULT, 3), ("late", OTHER, 4)]
        rows = [
            row_for(TaskAddress(address(name).task_id, tenant), expires_at=Instant(NOW + day * DAY))
            for name, tenant, day in order
        ]
        async with harness.open(shard_count=1) as place:
            await keep(place, rows[::-1])
            until = Instant(NOW + 3 * DAY)
            assert await place.models.expired(0, before=until, limit=2) == [row.address for row in rows[:2]]
            await keep(place, [row_for(rows[0].address)], removed=[rows[1].address])
            assert await place.models.expired(0, before=until, limit=9) == [rows[2].address]


class LeaseContract:
    """Who may write, and how far the feed was folded."""

    async def test_a_lease_is_one_owners_until_it_is_released(self, harness: ReadModelsHarness) -> None:
        async with harness.open() as place:
            mine = await place.models.acquire([0, 1], "me:1", seconds=600)
            theirs = await place.models.acquire([0, 1, 2], "me", seconds=600)
            again = await place.models.acquire([0, 1], "me:1", seconds=600)
            await place.models.release([Lease(1, theirs[0].token)])
            await place.models.release(mine[:1])
            then = await place.models.acquire([0, 1, 2], "me", seconds=600)

        assert [lease.shard for lease in mine] == [0, 1]
        assert [lease.shard for lease in theirs] == [2]
        assert again == mine
        assert [lease.shard for lease in then] == [0, 2]
        assert then[1] == theirs[0]

    async def test_who_lost_its_lease_changes_nothing(self, harness: ReadModelsHarness) -> None:
        rows = [row_for(f"t{n}", failed(n), counts={RUNS: n}) for n in range(3)]
        changed = [row_for(row.address, failed(9), counts={RUNS: 9}) for row in rows]
        later = Checkpoint(fold_version=9, position=START)
        async with harness.open(shard_count=1) as place:
            (mine,) = await place.models.acquire([0], "me", seconds=600)
            assert await place.models.store(mine, rows=rows) == "stored"
            before = await place.models.page(FAILED)
            await harness.run_out(mine)
            results = [await place.models.store(mine, rows=changed, checkpoint=later)]
            (theirs,) = await place.models.acquire([0], "them", seconds=600)
            results.append(
                await place.models.store(mine, rows=changed, removed=[address("x")], checkpoint=later)
            )
            results.append(await place.models.clear(mine))
            await place.models.release([mine])

            assert results == ["lease_lost"] * 3
            assert await place.models.page(FAILED) == before
            assert await place.models.counts(DEFAULT, [RUNS.day]) == {RUNS: 3}
            assert await place.models.checkpoints([0]) == [None]
            assert await place.models.store(theirs, rows=changed) == "stored"
            assert await place.models.counts(DEFAULT, [RUNS.day]) == {RUNS: 27}

    async def test_a_lease_taken_anew_is_another(self, harness: ReadModelsHarness) -> None:
        async with harness.open() as place:
            (first,) = await place.models.acquire([0], "me", seconds=600)
            await harness.run_out(first)
            (second,) = await place.models.acquire([0], "me", seconds=600)

            assert first != second
            assert await place.models.store(first) == "lease_lost"
            assert await place.models.store(second) == "stored"

    async def test_a_checkpoint_lets_the_feed_forget_what_is_before_it(
        self, harness: ReadModelsHarness
    ) -> None:
        async with harness.open(shard_count=1) as place:
            for number in range(30):
                appended_ids(await place.log.append([Append(address(f"t{number}"), b"x")]))
            feed = await place.log.read_feed(0)
            (lease,) = await place.models.acquire([0], "me", seconds=600)
            checkpoint = Checkpoint(fold_version=3, position=feed[19].stream_id)
            assert await place.models.store(lease, checkpoint=checkpoint) == "stored"

            assert await place.models.checkpoints([0]) == [checkpoint]
            assert await place.log.read_feed(0) == feed[19:]
            assert await place.log.read_feed(0, after=checkpoint.position) == feed[20:]
        async with harness.open(shard_count=1) as place:
            assert await place.models.checkpoints([0]) == [checkpoint]

    async def test_what_is_cleared_is_gone_and_may_come_again(self, harness: ReadModelsHarness) -> None:
        rows = [
            row_for(TaskAddress(address(f"t{n}").task_id, tenant), failed(n), counts={RUNS: 1})
            for n in range(5)
            for tenant in NAIVE_TENANTS
        ]
        checkpoint = Checkpoint(fold_version=1, position=START)
        async with harness.open(shard_count=1) as place:
            (lease,) = await place.models.acquire([0], "me", seconds=600)
            for _ in range(2):
                assert await place.models.store(lease, rows=rows, checkpoint=checkpoint) == "stored"
                assert await place.models.counts(DEFAULT, [RUNS.day]) == {RUNS: 5}
                assert await place.models.clear(lease) == "stored"
                assert await place.models.rows([row.address for row in rows]) == [None] * 10
                assert await place.models.page(FAILED) == []
                assert await place.models.counts(OTHER, [RUNS.day]) == {}
                assert await place.models.checkpoints([0]) == [None]
                assert await place.models.expired(0, before=Instant(NOW + 9_000 * DAY), limit=10) == []


@pytest.mark.anyio
class ReadModelsContract(RowContract, PagingContract, LeaseContract):
    """Inherited by one test class per implementation."""
