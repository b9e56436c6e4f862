"""What every log does: the contract suite, run on memory and on real servers.

A test class inherits `LogContract` and has a fixture `harness` that gives a `LogHarness`.
"""

from __future__ import annotations

import anyio
import pytest
from streams.log_harness import (
    HOSTILE_TASK_IDS,
    OPEN_RETENTION_SECONDS,
    ORDER,
    RETENTION_SECONDS,
    LogHarness,
    address,
    appended_ids,
    frames,
    page_of,
    payloads,
)
from streams.watching_contract import WatchingContract

from relayna.errors import InvalidSetting
from relayna.ids import stream_position
from relayna.streams.log import START, STREAM_FUSE, Append, StreamPage, StreamRange, StreamState, Tells

__all__ = ["LogContract"]


@pytest.mark.anyio
class LogContract(WatchingContract):
    """Inherited by one test class per implementation."""

    async def test_what_was_appended_is_read_in_order(self, harness: LogHarness) -> None:
        async with harness.log() as log:
            ids = appended_ids(await log.append(frames(ORDER, 0, 5)))
            ids += appended_ids(await log.append(frames(ORDER, 5, 8)))
            page = await page_of(log, ORDER)

        assert page.address == ORDER
        assert [entry.stream_id for entry in page.entries] == ids
        assert payloads(page.entries) == [b"%d" % number for number in range(8)]
        assert sorted(ids, key=stream_position) == ids
        assert len(set(ids)) == len(ids)

    async def test_results_come_in_the_order_asked_for(self, harness: LogHarness) -> None:
        tasks = [address(f"t{number}") for number in range(10)]
        async with harness.log() as log:
            asked = [Append(tasks[number % 10], b"%d" % number) for number in range(30)]
            ids = appended_ids(await log.append(asked))
            stored = {
                (page.address, entry.stream_id): entry.payload
                for page in await log.read([StreamRange(address=task) for task in tasks])
                for entry in page.entries
            }

        assert stored == {(one.address, at): one.payload for one, at in zip(asked, ids, strict=True)}

    async def test_the_newest_entries_are_read_in_order_too(self, harness: LogHarness) -> None:
        async with harness.log() as log:
            ids = appended_ids(await log.append(frames(ORDER, 0, 6)))
            wanted = [
                StreamRange(address=ORDER, limit=2, newest=True),
                StreamRange(address=ORDER, until=ids[3], limit=2, newest=True),
                StreamRange(address=ORDER, after=ids[3], limit=9, newest=True),
                StreamRange(address=address("no"), newest=True),
            ]
            pages = await log.read(wanted)

        assert [payloads(page.entries) for page in pages] == [[b"4", b"5"], [b"2", b"3"], [b"4", b"5"], []]

    async def test_who_answers_stays_the_same_while_nothing_happens(self, harness: LogHarness) -> None:
        async with harness.log() as log:
            appended_ids(await log.append(frames(ORDER, 0, 1)))
            shards = range(log.keys.shard_count)
            first = await log.incarnations(shards)
            appended_ids(await log.append(frames(ORDER, 1, 2)))
            assert await log.incarnations(shards) is first
            assert len(first) in (0, len(shards))

    async def test_nothing_asked_gives_nothing(self, harness: LogHarness) -> None:
        async with harness.log() as log:
            assert await log.append([]) == []
            assert await log.read([]) == []

    async def test_payloads_are_bytes_of_any_kind(self, harness: LogHarness) -> None:
        odd = [b"", b"\0", b"\r\n$3\r\n", bytes(range(256)), b"x" * 200_000]
        async with harness.log() as log:
            appended_ids(await log.append([Append(ORDER, payload) for payload in odd]))
            assert payloads((await page_of(log, ORDER)).entries) == odd

    async def test_an_absent_stream_is_an_empty_page(self, harness: LogHarness) -> None:
        async with harness.log() as log:
            appended_ids(await log.append(frames(ORDER, 0, 1)))
            absent, present = await log.read([StreamRange(address=address("no")), StreamRange(address=ORDER)])

        assert absent == StreamPage(address=address("no"), entries=[], state=StreamState())
        assert len(present.entries) == 1

    async def test_hostile_ids_have_streams_of_their_own(self, harness: LogHarness) -> None:
        tasks = [address(task_id) for task_id in HOSTILE_TASK_IDS]
        async with harness.log() as log:
            for task in tasks:
                name = task.task_id.encode(errors="surrogatepass")
                appended_ids(await log.append([Append(task, name)]))
            pages = await log.read([StreamRange(address=task) for task in tasks])
            references = [
                reference.address
                for shard in range(log.keys.shard_count)
                for reference in await log.read_feed(shard)
            ]

        names = [task.task_id.encode(errors="surrogatepass") for task in tasks]
        assert [payloads(page.entries) for page in pages] == [[name] for name in names]
        assert sorted(references, key=tasks.index) == tasks

    async def test_tenants_are_apart(self, harness: LogHarness) -> None:
        mine, yours = address("order", "mine"), address("order", "yours")
        async with harness.log() as log:
            appended_ids(await log.append([Append(mine, b"m"), Append(yours, b"y")]))
            assert payloads((await page_of(log, mine)).entries) == [b"m"]
            assert payloads((await page_of(log, yours)).entries) == [b"y"]

    async def test_state_tells_length_additions_and_last_id(self, harness: LogHarness) -> None:
        async with harness.log() as log:
            ids = appended_ids(await log.append(frames(ORDER, 0, 7)))
            state = (await page_of(log, ORDER)).state

        assert (state.length, state.entries_added, state.last_id) == (7, 7, ids[-1])

    async def test_a_page_without_entries_still_tells_the_state(self, harness: LogHarness) -> None:
        async with harness.log() as log:
            ids = appended_ids(await log.append(frames(ORDER, 0, 3)))
            (tail,) = await log.read([StreamRange(address=ORDER, limit=0)])

        assert (tail.entries, tail.state.length, tail.state.last_id) == ([], 3, ids[-1])

    async def test_trimming_shows_in_the_state(self, harness: LogHarness) -> None:
        async with harness.log() as log:
            ids = appended_ids(await log.append(frames(ORDER, 0, 10)))
            await harness.trim(ORDER, keep=4)
            page = await page_of(log, ORDER)
            await harness.trim(ORDER, keep=0)
            emptied = await page_of(log, ORDER)
            appended_ids(await log.append(frames(ORDER, 10, 11)))
            refilled = await page_of(log, ORDER)

        assert [entry.stream_id for entry in page.entries] == ids[6:]
        assert (page.state.length, page.state.entries_added, page.state.last_id) == (4, 10, ids[-1])
        assert (emptied.entries, emptied.state.length, emptied.state.entries_added) == ([], 0, 10)
        assert (payloads(refilled.entries), refilled.state.entries_added) == ([b"10"], 11)

    async def test_a_deleted_stream_begins_anew(self, harness: LogHarness) -> None:
        async with harness.log() as log:
            appended_ids(await log.append(frames(ORDER, 0, 3)))
            await harness.delete(ORDER)
            gone = await page_of(log, ORDER)
            appended_ids(await log.append(frames(ORDER, 3, 4)))
            page = await page_of(log, ORDER)

        assert gone.state == StreamState()
        assert (payloads(page.entries), page.state.entries_added) == ([b"3"], 1)

    async def test_reads_are_paged_and_bounded(self, harness: LogHarness) -> None:
        async with harness.log() as log:
            appended_ids(await log.append(frames(ORDER, 0, 25)))
            until = (await page_of(log, ORDER)).state.last_id
            after, pages = START, list[list[bytes]]()
            while len(pages) < 10:
                appended_ids(await log.append(frames(ORDER, 100 + len(pages), 101 + len(pages))))
                (page,) = await log.read([StreamRange(address=ORDER, after=after, until=until, limit=10)])
                if not page.entries:
                    break
                pages.append(payloads(page.entries))
                after = page.entries[-1].stream_id

        numbers = [b"%d" % number for number in range(25)]
        assert pages == [numbers[:10], numbers[10:20], numbers[20:]]

    async def test_many_streams_are_read_at_once(self, harness: LogHarness) -> None:
        tasks = [address(f"t{number}") for number in range(150)]
        async with harness.log() as log:
            appended_ids(await log.append([Append(task, task.task_id.encode()) for task in tasks]))
            pages = await log.read([StreamRange(address=task) for task in tasks])

        assert [(page.address, payloads(page.entries)) for page in pages] == [
            (task, [task.task_id.encode()]) for task in tasks
        ]

    async def test_expiry_is_the_retention_and_moves_on_with_each_append(self, harness: LogHarness) -> None:
        async with harness.log() as log:
            appended_ids(await log.append(frames(ORDER, 0, 1)))
            fresh = (await page_of(log, ORDER)).state.expires_in_ms
            await harness.age(ORDER, seconds=RETENTION_SECONDS // 2)
            aged = (await page_of(log, ORDER)).state.expires_in_ms
            appended_ids(await log.append(frames(ORDER, 1, 2)))
            moved_on = (await page_of(log, ORDER)).state.expires_in_ms

        half, full = RETENTION_SECONDS * 500, RETENTION_SECONDS * 1000
        assert fresh is not None
        assert aged is not None
        assert moved_on is not None
        assert half < fresh <= full
        assert aged <= half
        assert half < moved_on <= full

    async def test_an_open_task_is_kept_longer_and_its_end_sets_the_retention(
        self, harness: LogHarness
    ) -> None:
        async with harness.log() as log:
            kept: list[int] = []
            said: list[Tells | None] = [None, "open", None, "ended", None, "open", "ended"]
            for tells in said:
                appended_ids(await log.append([Append(ORDER, b"x", tells)]))
                remaining = (await page_of(log, ORDER)).state.expires_in_ms
                assert remaining is not None
                kept.append(round(remaining / 1000 / RETENTION_SECONDS))

        longer = OPEN_RETENTION_SECONDS // RETENTION_SECONDS
        assert kept == [1, longer, longer, 1, 1, longer, 1]

    @pytest.mark.parametrize(
        ("tells", "kept"),
        [(("ended", "open"), OPEN_RETENTION_SECONDS), (("open", "ended", None), RETENTION_SECONDS)],
    )
    async def test_the_last_that_says_so_decides(
        self, harness: LogHarness, tells: tuple[Tells | None, ...], kept: int
    ) -> None:
        async with harness.log() as log:
            appended_ids(await log.append([Append(ORDER, b"x", one) for one in tells]))
            remaining = (await page_of(log, ORDER)).state.expires_in_ms

        assert remaining is not None
        assert kept - 60 <= remaining / 1000 <= kept

    async def test_silence_longer_than_the_retention_takes_nothing_of_an_open_task(
        self, harness: LogHarness
    ) -> None:
        async with harness.log() as log:
            appended_ids(await log.append([Append(ORDER, b"begun", "open")]))
            await harness.age(ORDER, seconds=2 * RETENTION_SECONDS)
            appended_ids(await log.append([Append(ORDER, b"over", "ended")]))
            after = await page_of(log, ORDER)
            await harness.age(ORDER, seconds=RETENTION_SECONDS)
            gone = await page_of(log, ORDER)

        assert payloads(after.entries) == [b"begun", b"over"]
        assert gone.state == StreamState()

    async def test_an_expired_stream_is_absent_and_a_straggler_begins_it_anew(
        self, harness: LogHarness
    ) -> None:
        async with harness.log() as log:
            appended_ids(await log.append(frames(ORDER, 0, 3)))
            await harness.age(ORDER, seconds=RETENTION_SECONDS)
            gone = await page_of(log, ORDER)
            appended_ids(await log.append(frames(ORDER, 3, 4)))
            straggler = await page_of(log, ORDER)

        assert gone == StreamPage(address=ORDER, entries=[], state=StreamState())
        assert (payloads(straggler.entries), straggler.state.entries_added) == ([b"3"], 1)
        assert straggler.state.expires_in_ms is not None

    async def test_the_fuse_bounds_a_stream(self, harness: LogHarness) -> None:
        async with harness.log() as log:
            for start in range(0, STREAM_FUSE + 1_000, 5_050):
                appended_ids(await log.append(frames(ORDER, start, start + 5_050)))
            state = (await page_of(log, ORDER)).state

        assert STREAM_FUSE <= state.length < STREAM_FUSE + 200
        assert state.entries_added == 101_000

    async def test_each_append_leaves_one_reference_a_task_in_its_shards_feed(
        self, harness: LogHarness
    ) -> None:
        tasks = [address(f"t{number}") for number in range(12)]
        async with harness.log() as log:
            for _ in range(2):
                appended_ids(await log.append([Append(task, b"x") for task in tasks for _ in range(3)]))
            feeds = [await log.read_feed(shard) for shard in range(log.keys.shard_count)]

            for shard, feed in enumerate(feeds):
                here = [task for task in tasks if log.keys.shard_of(task) == shard]
                assert [reference.address for reference in feed] == here * 2
        assert sum(map(len, feeds)) == 24

    async def test_a_feed_is_read_on_from_a_position(self, harness: LogHarness) -> None:
        async with harness.log(shard_count=1) as log:
            for number in range(10):
                appended_ids(await log.append([Append(address(f"t{number}"), b"x")]))
            first = await log.read_feed(0, limit=4)
            rest = await log.read_feed(0, after=first[-1].stream_id)
            end = await log.read_feed(0, after=rest[-1].stream_id)

        assert [reference.address.task_id for reference in first + rest] == [
            f"t{number}" for number in range(10)
        ]
        assert (len(first), end) == (4, [])

    async def test_an_untouched_feed_is_empty(self, harness: LogHarness) -> None:
        async with harness.log() as log:
            assert await log.read_feed(3) == []

    async def test_concurrent_appends_lose_nothing_and_keep_each_writers_order(
        self, harness: LogHarness
    ) -> None:
        writers, each = 20, 10
        async with harness.log() as log:

            async def write(writer: int) -> None:
                for number in range(each):
                    appended_ids(await log.append([Append(ORDER, b"%d %d" % (writer, number))]))

            async with anyio.create_task_group() as tasks:
                for writer in range(writers):
                    tasks.start_soon(write, writer)
            page = await page_of(log, ORDER)

        told = [tuple(map(int, entry.payload.split())) for entry in page.entries]
        assert len(told) == writers * each
        for writer in range(writers):
            assert [number for who, number in told if who == writer] == list(range(each))

    async def test_it_answers_and_may_be_entered_by_several_users(self, harness: LogHarness) -> None:
        log = harness.log()
        async with log:
            async with log:
                appended_ids(await log.append(frames(ORDER, 0, 1)))
            await log.ping()
            assert len((await page_of(log, ORDER)).entries) == 1
        async with log:
            assert len((await page_of(log, ORDER)).entries) == 1

    def test_settings_that_cannot_work_are_refused(self, harness: LogHarness) -> None:
        with pytest.raises(InvalidSetting, match="retention_seconds"):
            harness.log(retention_seconds=0)
        with pytest.raises(InvalidSetting, match="open_retention_seconds"):
            harness.log(open_retention_seconds=0)
        with pytest.raises(InvalidSetting, match="shard_count"):
            harness.log(shard_count=0)
