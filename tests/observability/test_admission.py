"""The gate before large graphs: so many at once, so many waiting, and the interpreter minds its manners."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import anyio
import pytest

from relayna.errors import InvalidSetting
from relayna.observability.admission import Admission, Busy

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[tuple[int, int, int]]:
    """Python's thresholds, which are as before afterwards."""
    before = gc.get_threshold()
    yield before
    assert gc.get_threshold() == before


class Visits:
    """Those who go in, and stay until they may leave."""

    def __init__(self, gate: Admission) -> None:
        self.gate = gate
        self.inside = 0
        self.most_inside = 0
        self.done = 0
        self.refused = 0
        self.may_leave = anyio.Event()

    async def visit(self) -> None:
        with self.gate.turn() as turn:
            try:
                await turn.take()
                await turn.take()
            except Busy:
                self.refused += 1
                return
            self.inside += 1
            self.most_inside = max(self.inside, self.most_inside)
            await self.may_leave.wait()
            self.inside -= 1
            self.done += 1


async def test_few_are_in_some_wait_and_others_are_told() -> None:
    visits = Visits(Admission(at_once=2, waiting=3, wait_seconds=60))
    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(visits.visit)
        await anyio.wait_all_tasks_blocked()
        assert (visits.inside, visits.refused) == (2, 5)
        visits.may_leave.set()
    assert (visits.done, visits.refused, visits.most_inside) == (5, 5, 2)


async def test_who_waits_too_long_is_told() -> None:
    visits = Visits(Admission(at_once=1, waiting=3, wait_seconds=0))
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(visits.visit)
        while visits.refused < 2:
            await anyio.lowlevel.checkpoint()
        visits.may_leave.set()
    assert visits.done == 1


async def test_who_is_cancelled_leaves_no_place_taken() -> None:
    visits = Visits(Admission(at_once=1, waiting=1, wait_seconds=60))
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(visits.visit)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    visits.may_leave.set()
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(visits.visit)
    assert (visits.done, visits.refused) == (2, 0)


async def test_a_turn_that_is_not_taken_takes_no_place() -> None:
    gate = Admission(at_once=1, waiting=0)
    with gate.turn(), gate.turn() as second:
        await second.take()


@pytest.mark.parametrize("wrong", [{"at_once": 0}, {"waiting": -1}, {"wait_seconds": -1.0}])
async def test_a_gate_that_cannot_work_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidSetting, match=next(iter(wrong))):
        Admission(**wrong)


async def test_while_anybody_is_in_the_interpreter_minds_its_manners(
    thresholds: tuple[int, int, int],
) -> None:
    gate = Admission(at_once=2)
    with gate.turn() as turn:
        await turn.take()
        assert gc.get_threshold() != thresholds
    assert gc.get_threshold() == thresholds
