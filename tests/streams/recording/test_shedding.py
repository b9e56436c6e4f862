"""What finds no room, while others look on."""

from __future__ import annotations

import anyio
import pytest
from streams.recording_steps import CountedSignals, status

from relayna.clock import FrozenClock
from relayna.ids import Tenant
from relayna.streams.recording.held import HeldEvent, hold
from relayna.streams.recording.losses import Losses
from relayna.streams.recording.shedding import Shedding

pytestmark = pytest.mark.anyio

TENANT = Tenant("default")


class WatchedLosses(Losses):
    """Lets somebody look as soon as a loss is known, as another thread may."""

    def look(self) -> None:
        """What that somebody does."""

    def remember(self, event: HeldEvent, reason: str) -> bool:
        is_first = super().remember(event, reason)
        self.look()
        return is_first


def a_status(text: str) -> HeldEvent:
    return hold(status(text), None, None)


async def test_whoever_hears_of_a_loss_finds_it_written_down(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = WatchedLosses(CountedSignals())
    shedding = Shedding(losses, TENANT)
    found: list[bool] = []

    def look() -> None:
        assert losses.take_news()
        shedding.tell()
        found.append("event_not_stored" in caplog.text)

    monkeypatch.setattr(losses, "look", look)
    async with anyio.create_task_group() as group:
        group.start_soon(shedding.run, FrozenClock())
        await anyio.wait_all_tasks_blocked()
        shedding.shed(a_status("completed"))
        group.cancel_scope.cancel()
    assert found == [True]


async def test_what_is_shed_later_is_written_down_too(caplog: pytest.LogCaptureFixture) -> None:
    signals = CountedSignals()
    shedding = Shedding(Losses(signals), TENANT)
    async with anyio.create_task_group() as group:
        group.start_soon(shedding.run, FrozenClock())
        for number in range(1, 4):
            await anyio.wait_all_tasks_blocked()
            shedding.shed(a_status(f"status {number}"))
            shedding.shed(a_status(f"status {number} again"))
            await anyio.wait_all_tasks_blocked()
            assert caplog.text.count("event_not_stored") == 2 * number
            assert signals["relayna_records_dropped_total{reason=buffer_full}"] == 2 * number
        group.cancel_scope.cancel()
    shedding.shed(a_status("after the end"))
    assert caplog.text.count("event_not_stored") == 7
