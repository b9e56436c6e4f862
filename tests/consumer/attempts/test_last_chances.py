"""What may end its process is handled while nothing else is, and nobody waits for ever."""

from __future__ import annotations

import anyio
import pytest
from consumer.broker_steps import PATIENCE_SECONDS

from relayna.consumer.attempts import last_chances
from relayna.consumer.attempts.last_chances import LastChances

pytestmark = pytest.mark.anyio


class Watched:
    """A gate, and who is behind it."""

    def __init__(self) -> None:
        self.gate = LastChances()
        self.behind: list[str] = []
        self.met: set[frozenset[str]] = set()

    async def go(self, name: str, *, last: bool, until: anyio.Event | None = None) -> None:
        await self.gate.enter(last=last)
        self.behind.append(name)
        self.met.add(frozenset(self.behind))
        if until is not None:
            await until.wait()
        await anyio.wait_all_tasks_blocked()
        self.behind.remove(name)
        self.gate.leave(last=last)


async def test_a_last_chance_is_alone_and_the_others_are_not() -> None:
    watched = Watched()
    with anyio.fail_after(PATIENCE_SECONDS):
        async with anyio.create_task_group() as tasks:
            for number in range(3):
                tasks.start_soon(lambda n=number: watched.go(f"plain-{n}", last=False))
            for number in range(3):
                tasks.start_soon(lambda n=number: watched.go(f"last-{n}", last=True))
            await anyio.wait_all_tasks_blocked()
            for number in range(3, 6):
                tasks.start_soon(lambda n=number: watched.go(f"plain-{n}", last=False))
    assert {frozenset({f"last-{n}"}) for n in range(3)} <= watched.met
    assert [names for names in watched.met if len(names) > 1 and any("last" in name for name in names)] == []
    assert any(len(names) > 1 for names in watched.met)


@pytest.mark.parametrize(("first", "then"), [(False, True), (True, False)])
async def test_nobody_waits_for_ever(first: bool, then: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_chances, "_SECONDS_FOR_OTHERS_TO_END", 0.01)
    monkeypatch.setattr(last_chances, "_SECONDS_TO_STAND_ASIDE", 0.01)
    watched, end = Watched(), anyio.Event()
    with anyio.fail_after(PATIENCE_SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: watched.go("first", last=first, until=end))
            await anyio.wait_all_tasks_blocked()
            await watched.go("then", last=then)
            end.set()
    assert frozenset({"first", "then"}) in watched.met


async def test_a_last_chance_that_gives_up_waiting_lets_the_others_on() -> None:
    gate = LastChances()
    await gate.enter(last=False)
    async with anyio.create_task_group() as tasks:

        async def wait() -> None:
            await gate.enter(last=True)

        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    with anyio.fail_after(PATIENCE_SECONDS):
        await gate.enter(last=False)
        gate.leave(last=False)
        gate.leave(last=False)
        await gate.enter(last=True)
