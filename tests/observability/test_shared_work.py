"""Work that is shared: done once, never older than the question, and nobody falls with another."""

from __future__ import annotations

import anyio
import pytest

from relayna.observability.shared_work import SharedWork

pytestmark = pytest.mark.anyio


class Work:
    """Counts how often it is done; each time it waits to be let go."""

    def __init__(self) -> None:
        self.begun = 0
        self.true_ones: set[int] = set()
        self.may_end = anyio.Event()
        self.error: Exception | None = None

    async def do(self) -> int:
        self.begun += 1
        number = self.begun
        await self.may_end.wait()
        if self.error is not None:
            raise self.error
        return number

    async def is_true(self, number: int) -> bool:
        return number in self.true_ones


async def ask(shared: SharedWork[int], work: Work, answers: list[int | str], key: str = "key") -> None:
    try:
        answers.append(await shared.do(key, work.do, still_true=work.is_true))
    except ValueError as error:
        answers.append(str(error))


async def test_who_asks_at_the_same_time_shares_one_answer() -> None:
    shared, work = SharedWork[int](), Work()
    work.true_ones = {1}
    answers: list[int | str] = []
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(ask, shared, work, answers)
        await anyio.wait_all_tasks_blocked()
        work.may_end.set()
    assert answers == [1] * 5
    assert await shared.do("key", work.do, still_true=work.is_true) == 2


async def test_other_questions_are_other_work() -> None:
    shared, work = SharedWork[int](), Work()
    work.may_end.set()
    answers: list[int | str] = []
    async with anyio.create_task_group() as tasks:
        for key in "abc":
            tasks.start_soon(ask, shared, work, answers, key)
    assert sorted(map(str, answers)) == ["1", "2", "3"]


async def test_what_is_no_longer_true_is_done_once_more_for_all() -> None:
    shared, work = SharedWork[int](), Work()
    answers: list[int | str] = []
    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(ask, shared, work, answers)
        await anyio.wait_all_tasks_blocked()
        work.may_end.set()
    # The first asked before it began; for the others it is too old, and they share the second.
    assert sorted(map(str, answers)) == ["1", "2", "2", "2"]


async def test_an_error_from_before_is_nobody_elses_and_a_later_one_is() -> None:
    shared, work = SharedWork[int](), Work()
    work.error = ValueError("no")
    answers: list[int | str] = []
    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(ask, shared, work, answers)
        await anyio.wait_all_tasks_blocked()
        work.may_end.set()
    assert answers == ["no"] * 4
    assert work.begun == 2


async def test_who_gives_up_takes_nobody_along() -> None:
    shared, work = SharedWork[int](), Work()
    answers: list[int | str] = []
    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as first:
            async with anyio.create_task_group() as giving_up:
                giving_up.start_soon(ask, shared, work, answers)
                await anyio.wait_all_tasks_blocked()
                tasks.start_soon(ask, shared, work, answers)
                await anyio.wait_all_tasks_blocked()
                first.cancel()
        await anyio.wait_all_tasks_blocked()
        work.may_end.set()
    assert answers == [2]
