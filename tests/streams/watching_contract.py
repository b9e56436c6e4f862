"""What every log does for those who wait for something new: a part of the contract suite (`log_contract.py`)."""

from __future__ import annotations

from functools import partial

import anyio
import anyio.lowlevel
import pytest
from streams.log_harness import ORDER, LogHarness, address, appended_ids, aside, frames

from relayna.streams.keys import TaskAddress
from relayna.streams.log import START, Append, StreamRange, StreamState

__all__ = ["WatchingContract"]


@pytest.mark.anyio
class WatchingContract:
    """Inherited by the contract of logs."""

    async def test_states_are_those_of_pages(self, harness: LogHarness) -> None:
        tasks = [address(f"t{number}") for number in range(100)]
        async with harness.log() as log:
            appended_ids(await log.append([Append(task, b"x") for task in tasks[::2] for _ in range(3)]))
            await harness.trim(tasks[0], keep=1)
            await harness.trim(tasks[2], keep=0)
            pages = await log.read([StreamRange(address=task, limit=0) for task in tasks])
            states = await log.states(tasks)
            assert await log.states([]) == []

        assert [aside(state) for state in states] == [aside(page.state) for page in pages]
        assert all(state.expires_in_ms is not None for state in states[::2])
        assert states[1::2] == [StreamState()] * 50

    async def test_what_lies_beyond_a_position_is_told_at_once(self, harness: LogHarness) -> None:
        tasks = [address(f"t{number}") for number in range(150)]
        async with harness.log() as log:
            ids = appended_ids(await log.append([Append(task, b"x") for task in tasks]))
            nothing = await log.changed(dict(zip(tasks, ids, strict=True)), wait_seconds=0)
            everything = await log.changed(dict.fromkeys(tasks, START), wait_seconds=60)
            appended_ids(await log.append([Append(tasks[n], b"y") for n in (3, 70, 149)]))
            some = await log.changed(dict(zip(tasks, ids, strict=True)), wait_seconds=60)
            assert await log.changed({}, wait_seconds=0) == set()

        assert (nothing, everything) == (set(), set(tasks))
        assert some == {tasks[3], tasks[70], tasks[149]}

    async def test_whoever_waits_is_told_of_the_next_append(self, harness: LogHarness) -> None:
        tasks = [address(f"t{number}") for number in range(70)]
        async with harness.log() as log:
            (known,) = appended_ids(await log.append(frames(tasks[0], 0, 1)))
            positions = {**dict.fromkeys(tasks, START), tasks[0]: known}
            for turn in range(30):
                found: list[set[TaskAddress]] = []

                async def wait(found: list[set[TaskAddress]] = found) -> None:
                    found.append(await log.changed(dict(positions), wait_seconds=60))

                async with anyio.create_task_group() as group:
                    group.start_soon(wait)
                    for _ in range(turn * 5):
                        await anyio.lowlevel.checkpoint()
                    (positions[tasks[turn]],) = appended_ids(await log.append(frames(tasks[turn], 0, 1)))
                assert found == [{tasks[turn]}]

    async def test_nothing_new_is_told_after_the_wait(self, harness: LogHarness) -> None:
        async with harness.log() as log:
            (known,) = appended_ids(await log.append(frames(ORDER, 0, 1)))
            assert await log.changed({ORDER: known, address("no"): START}, wait_seconds=0.01) == set()

    async def test_streams_that_are_gone_do_not_change(self, harness: LogHarness) -> None:
        async with harness.log() as log:
            appended_ids(await log.append([*frames(ORDER, 0, 3), *frames(address("other"), 0, 3)]))
            await harness.delete(ORDER)
            await harness.trim(address("other"), keep=0)
            assert await log.changed({ORDER: START, address("other"): START}, wait_seconds=0) == set()

    async def test_waits_cut_short_spoil_no_later_answer(self, harness: LogHarness) -> None:
        tasks = [address(f"t{number}") for number in range(70)]
        async with harness.log() as log:
            ids = appended_ids(await log.append([Append(task, b"x") for task in tasks]))
            known = dict(zip(tasks, ids, strict=True))
            for turn in range(70):
                async with anyio.create_task_group() as group:
                    group.start_soon(partial(log.changed, known, wait_seconds=60))
                    for _ in range(turn % 35):
                        await anyio.lowlevel.checkpoint()
                    group.cancel_scope.cancel()
                assert await log.changed({**known, tasks[turn]: START}, wait_seconds=60) == {tasks[turn]}
