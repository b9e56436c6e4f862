"""The hub and sessions: what their followers share, what they are told of the store, and how they end."""

from __future__ import annotations

import anyio
import pytest
from observability.live_steps import Teller, until
from streams.faulty_log import FaultyLog

from relayna.errors import ExecutionNotFound
from relayna.observability.lineage_service import LineageService
from relayna.observability.lineage_told import RunEdgeTold, Session
from relayna.observability.live import (
    LiveHub,
    LiveLimits,
    Pace,
    SessionMessage,
    SessionStatus,
    SessionSubscription,
    TooManyFollowers,
)
from relayna.streams import Log, MemoryLog
from relayna.testing import history

pytestmark = pytest.mark.anyio

QUICK = Pace(interval_seconds=0.001, rest_factor=0, look_seconds=0.01, retry_seconds=0.01)


class CountingService(LineageService):
    """Knows how often it was asked."""

    asked = 0

    async def session(self, *question: object, **how: object) -> Session:
        self.asked += 1
        return await super().session(*question, **how)  # type: ignore[arg-type]  # as it was asked


def hub_on(log: Log, **limits: int) -> LiveHub:
    return LiveHub(log, limits=LiveLimits(pace=QUICK, **limits))  # type: ignore[arg-type]  # numbers all


async def told(subscription: SessionSubscription) -> SessionMessage:
    with anyio.fail_after(20):
        message = await subscription.next_message()
    assert message is not None
    return message


async def edge(subscription: SessionSubscription) -> str:
    message = await told(subscription)
    assert isinstance(message.body, RunEdgeTold), message.event
    return f"{message.body.kind} {message.body.target_run}"


async def test_all_who_follow_a_session_share_its_view() -> None:
    log = MemoryLog()
    story = history("S").published().attempt()
    teller, service = Teller(log), CountingService(log=log)
    await teller.tell(story)
    async with hub_on(log) as hub:
        followers = [await hub.subscribe_to_session(service, "S") for _ in range(50)]
        asked = service.asked
        assert asked < 3
        assert {await edge(one) for one in followers} == {"user_start S"}
        story.spawns("child")
        await teller.tell(story)
        assert {await edge(one) for one in followers} == {"spawn child"}
        assert followers[0].due_message() is None
        for one in followers:
            one.close()
        assert await followers[0].next_message() is None


async def test_whoever_is_slow_is_told_all_the_same_and_nothing_is_queued_for_them() -> None:
    log = MemoryLog()
    story = history("S").published().attempt()
    teller = Teller(log)
    await teller.tell(story)
    async with hub_on(log) as hub:
        service = LineageService(log=log)
        quick, slow = [await hub.subscribe_to_session(service, "S") for _ in range(2)]
        for number in range(20):
            story.spawns(f"c{number}")
            await teller.tell(story)
        names = [await edge(quick) for _ in range(21)]
        assert [await edge(slow) for _ in range(21)] == names


async def test_a_run_that_no_other_leads_to_is_found_without_any_news() -> None:
    log = MemoryLog()
    teller = Teller(log)
    await teller.tell(history("S").published())

    class Widening(LineageService):
        """Knows of another run of the session from its third answer on."""

        async def session(self, *question: object, **how: object) -> Session:
            nonlocal answers
            answers += 1
            found = await super().session(*question, **how)  # type: ignore[arg-type]  # as it was asked
            if answers > 2:
                other = await LineageService(log=log).session("other")
                found.edges.extend(other.edges)
            return found

    answers = 0
    await Teller(log).tell(history("other").published())
    async with hub_on(log) as hub:
        subscription = await hub.subscribe_to_session(Widening(log=log), "S")
        assert [await edge(subscription) for _ in range(2)] == ["user_start S", "user_start other"]


async def test_a_store_that_goes_away_is_told_and_nothing_is_missed() -> None:
    log = FaultyLog()
    story = history("S").published().attempt()
    teller = Teller(log)
    await teller.tell(story)
    async with hub_on(log) as hub:
        subscription = await hub.subscribe_to_session(LineageService(log=log), "S")
        await edge(subscription)
        log.unreadable = True
        assert (await told(subscription)).body == SessionStatus("away")
        log.unreadable = False
        story.spawns("child")
        await teller.tell(story)
        seen = {(await told(subscription)).event for _ in range(2)}
        assert seen == {"status", "edge"}


async def test_nobody_is_not_followed_and_there_may_be_too_many() -> None:
    log = MemoryLog()
    await Teller(log).tell(history("S").published())
    service = LineageService(log=log)
    async with hub_on(log, most_followers=2) as hub:
        with pytest.raises(ExecutionNotFound):
            await hub.subscribe_to_session(service, "nobody")
        first, _ = [await hub.subscribe_to_session(service, "S") for _ in range(2)]
        with pytest.raises(TooManyFollowers):
            await hub.subscribe_to_session(service, "S")
        first.close()
        await hub.subscribe_to_session(service, "S")


async def test_sessions_end_with_the_hub() -> None:
    log = MemoryLog()
    await Teller(log).tell(history("S").published())
    ended: list[object] = []

    async def follow(subscription: SessionSubscription) -> None:
        await edge(subscription)
        ended.append(await subscription.next_message())

    async with anyio.create_task_group() as tasks:
        async with hub_on(log) as hub:
            tasks.start_soon(follow, await hub.subscribe_to_session(LineageService(log=log), "S"))
            await anyio.lowlevel.checkpoint()
        await until(lambda: bool(ended))
    assert ended == [None]


async def test_whoever_goes_right_after_a_gap_comes_back_to_all_edges() -> None:
    log = MemoryLog()
    story = history("S").published().attempt()
    story.spawns("child")
    teller, service = Teller(log), CountingService(log=log)
    await teller.tell(story)
    async with hub_on(log) as hub:
        first = await hub.subscribe_to_session(service, "S")
        known = (await told(first)).id
        other = await hub.subscribe_to_session(service, "S", after="9-0123456789abcdef")
        gap = await told(other)
        again = await hub.subscribe_to_session(service, "S", after=gap.id or known)  # as browsers do

        assert gap.event == "gap"
        assert [await edge(again), await edge(again)] == ["user_start S", "spawn child"]
