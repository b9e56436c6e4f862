"""The live hub: what followers are told, what they share, and what it refuses."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import msgspec
import pytest
from observability.live_steps import Follower, Teller, until
from streams.faulty_log import FaultyLog
from streams.log_harness import address

from relayna.errors import ExecutionNotFound, LogNotOpen, StoreUnreachable
from relayna.observability import ExecutionGraphService
from relayna.observability.graph_question import checked_question
from relayna.observability.graph_service import VersionedGraph
from relayna.observability.live import (
    LiveEnd,
    LiveGap,
    LiveHub,
    LiveLimits,
    LiveStatus,
    Pace,
    TooManyFollowers,
)
from relayna.projections.graph import ExecutionGraph, encode_graph
from relayna.projections.graph_patch import GraphPatch
from relayna.streams import MemoryLog
from relayna.testing import history

pytestmark = pytest.mark.anyio

T = checked_question("T")
QUICK = Pace(interval_seconds=0.001, rest_factor=0, linger_seconds=30, retry_seconds=0.01)


class CountingService(ExecutionGraphService):
    """Knows how often it was asked, and may be held up or be broken."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.asked = 0
        self.raising: Exception | None = None
        self.gate = anyio.Event()
        self.gate.set()

    async def get_versioned(self, task_id: str, **question: Any) -> VersionedGraph:
        self.asked += 1
        await self.gate.wait()
        if self.raising is not None:
            raise self.raising
        return await super().get_versioned(task_id, **question)


async def rebuilt(log: MemoryLog | FaultyLog, task_id: str = "T") -> bytes:
    return encode_graph(await ExecutionGraphService(log=log).get_graph(task_id))


def hub_on(log: MemoryLog | FaultyLog, **limits: Any) -> LiveHub:
    return LiveHub(log, limits=LiveLimits(pace=QUICK, **limits))


class TestWhatIsTold:
    async def test_a_snapshot_then_patches_then_the_end(self) -> None:
        log = MemoryLog()
        service, teller = ExecutionGraphService(log=log), Teller(log)
        attempt = history("T").published().attempt()
        await teller.tell(attempt)
        async with hub_on(log) as hub:
            follower = Follower(await hub.subscribe(service, T))
            await follower.next()
            assert follower.told == ["graph"]
            assert follower.json == await rebuilt(log)
            for step in range(5):
                await teller.tell(attempt.status(f"step {step}"))
                assert await follower.until("status") == ["graphpatch", "status"]
                assert follower.json == await rebuilt(log)
            await teller.tell(attempt.acked())
            told = await follower.until("closed")

        assert set(told[:-2]) == {"graphpatch", "status"}
        assert told[-2:] == ["end", "closed"]
        assert follower.json == await rebuilt(log)

    async def test_children_are_followed_from_the_moment_they_are_known(self) -> None:
        log = MemoryLog()
        teller = Teller(log)
        attempt = history("T").published().attempt()
        child = attempt.spawns("child")
        await teller.tell(attempt)
        async with hub_on(log) as hub:
            follower = Follower(await hub.subscribe(ExecutionGraphService(log=log), T))
            await follower.next()
            await teller.tell(child.attempt().status("reading"))
            await follower.until_it_holds(await rebuilt(log))

    async def test_the_end_has_the_last_version_and_says_why(self) -> None:
        log = MemoryLog()
        await Teller(log).tell(history("T").published().attempt().acked())
        async with hub_on(log) as hub:
            follower = Follower(await hub.subscribe(ExecutionGraphService(log=log), T))
            await follower.next()
            snapshot = follower.version
            end = await follower.next()
            assert await follower.next() is None

        assert end is not None
        assert (end.version, end.body) == (snapshot, LiveEnd("finished", "completed"))

    async def test_records_that_go_away_end_it(self) -> None:
        log = MemoryLog()
        teller = Teller(log)
        attempt = history("T").published().attempt()
        child = attempt.spawns("child")
        await teller.tell(attempt)
        async with hub_on(log) as hub:
            follower = Follower(await hub.subscribe(ExecutionGraphService(log=log), T))
            await follower.next()
            log.delete(address("T"))
            await teller.tell(child.status("alone"))
            end = await follower.next()
            assert await follower.next() is None
            with pytest.raises(ExecutionNotFound):
                await hub.subscribe(ExecutionGraphService(log=log), T)

        assert end is not None
        assert isinstance(end.body, LiveEnd)
        assert end.body.reason == "gone"

    async def test_records_that_go_away_in_silence_end_it_too(self) -> None:
        log = MemoryLog()
        await Teller(log).tell(history("T").published())
        pace = Pace(interval_seconds=0.001, linger_seconds=0.01)
        async with LiveHub(log, limits=LiveLimits(pace=pace)) as hub:
            follower = Follower(await hub.subscribe(ExecutionGraphService(log=log), T))
            await follower.next()
            log.delete(address("T"))
            end = await follower.next()

        assert end is not None
        assert isinstance(end.body, LiveEnd)
        assert end.body.reason == "gone"

    async def test_a_task_that_does_not_exist_leaves_nothing_behind(self) -> None:
        log = MemoryLog()
        async with hub_on(log) as hub:
            with pytest.raises(ExecutionNotFound):
                await hub.subscribe(ExecutionGraphService(log=log), T)
            assert (hub._views, hub._count_followers()) == ({}, 0)


class TestWhatIsShared:
    async def test_followers_of_one_question_are_one_view_and_get_the_same_messages(self) -> None:
        log = MemoryLog()
        service, teller = CountingService(log=log), Teller(log)
        attempt = history("T").published().attempt()
        await teller.tell(attempt)
        async with hub_on(log) as hub:
            followers = [Follower(await hub.subscribe(service, T)) for _ in range(5)]
            for follower in followers:
                await follower.next()
            assert service.asked == 1
            await teller.tell(attempt.status("on"))
            patches = [await follower.next() for follower in followers]
            statuses = [await follower.next() for follower in followers]
            other = Follower(await hub.subscribe(service, checked_question("T", depth=0)))
            assert (len(hub._views), hub._count_followers()) == (2, 6)
            other.subscription.close()
            other.subscription.close()
            assert hub._count_followers() == 5

        assert len(set(map(id, patches))) == 1
        assert followers[0].told[-1] == "status"
        assert len(set(map(id, statuses))) == 1
        assert service.asked == 3

    async def test_what_happens_during_a_refresh_is_one_more_refresh(self) -> None:
        log = MemoryLog()
        service, teller = CountingService(log=log), Teller(log)
        attempt = history("T").published().attempt()
        await teller.tell(attempt)
        async with hub_on(log) as hub:
            follower = Follower(await hub.subscribe(service, T))
            await follower.next()
            service.gate = anyio.Event()
            await teller.tell(attempt.status("first"))
            await until(lambda: service.asked == 2)
            for number in range(50):
                await teller.tell(attempt.status(f"step {number}"))
            service.gate.set()
            await follower.until_it_holds(await rebuilt(log))

        assert service.asked <= 3
        assert follower.told.count("graphpatch") <= 2

    async def test_a_view_that_fails_ends_for_its_followers_alone(self) -> None:
        log = MemoryLog()
        broken, sound = CountingService(log=log), ExecutionGraphService(log=log)
        teller = Teller(log)
        attempt = history("T").published().attempt()
        await teller.tell(attempt)
        async with hub_on(log) as hub:
            unlucky, lucky = Follower(await hub.subscribe(broken, T)), Follower(await hub.subscribe(sound, T))
            await unlucky.next()
            await lucky.next()
            broken.raising = RuntimeError("a fault of ours")
            await teller.tell(attempt.status("on"))
            assert await unlucky.next() is None
            await lucky.until_it_holds(await rebuilt(log))
            broken.raising = None
            again = Follower(await hub.subscribe(broken, T))
            await again.next()
            assert again.json == lucky.json


class TestThoseWhoAreSlow:
    async def test_one_patch_leads_from_what_they_have_to_the_present(self) -> None:
        log = MemoryLog()
        service, teller = ExecutionGraphService(log=log), Teller(log)
        attempt = history("T").published().attempt()
        await teller.tell(attempt)
        async with hub_on(log) as hub:
            quick, slow = Follower(await hub.subscribe(service, T)), Follower(await hub.subscribe(service, T))
            await quick.next()
            await slow.next()
            for step in range(5):
                await teller.tell(attempt.status(f"step {step}"))
                await quick.until("status")
            assert await slow.until("status") == ["graphpatch", "status"]

        assert (slow.json, slow.version) == (quick.json, quick.version)

    async def test_beyond_the_versions_held_there_is_a_gap(self) -> None:
        log = MemoryLog()
        service, teller = ExecutionGraphService(log=log), Teller(log)
        attempt = history("T").published().attempt()
        await teller.tell(attempt)
        async with hub_on(log, versions=3) as hub:
            quick, slow = Follower(await hub.subscribe(service, T)), Follower(await hub.subscribe(service, T))
            await quick.next()
            await slow.next()
            for step in range(5):
                await teller.tell(attempt.status(f"step {step}"))
                await quick.until("status")
            gap = await slow.next()
            await slow.next()
            (view,) = hub._views.values()
            held = len(view.versions._graphs)

        assert gap is not None
        assert gap.body == LiveGap("fell_behind")
        assert slow.told == ["graph", "gap", "graph"]
        assert (slow.json, held) == (quick.json, 3)


class TestThoseWhoComeBack:
    async def versions(self, log: MemoryLog, *, end: bool) -> tuple[str, bytes]:
        """A version of long ago and its graph; since then things have happened."""
        service, teller = ExecutionGraphService(log=log), Teller(log)
        attempt = history("T").published().attempt().status("one")
        await teller.tell(attempt)
        before = await service.get_versioned("T")
        await teller.tell(attempt.status("two"))
        if end:
            await teller.tell(attempt.acked())
        return before.version, encode_graph(before.graph)

    @pytest.mark.parametrize("end", [False, True])
    async def test_any_process_patches_from_what_they_have(self, end: bool) -> None:
        log = MemoryLog()
        version, held = await self.versions(log, end=end)
        async with hub_on(log) as hub:
            graph = msgspec.json.decode(held, type=ExecutionGraph)
            first = Follower(await hub.subscribe(ExecutionGraphService(log=log), T, after=version), graph)
            message = await first.next()

        assert message is not None
        assert isinstance(message.body, GraphPatch)
        assert message.body.base == version
        assert first.json == await rebuilt(log)

    async def test_with_the_last_version_of_what_is_over_there_is_nothing_more(self) -> None:
        log = MemoryLog()
        service, teller = ExecutionGraphService(log=log), Teller(log)
        story = history("T").published()
        attempt = story.attempt().acked()
        await teller.tell(attempt)
        async with hub_on(log) as hub:
            follower = Follower(await hub.subscribe(service, T))
            await follower.until("closed")
            again = await hub.subscribe(service, T, after=follower.version)
            fresh = await hub.subscribe(service, T)
            assert (again.has_all, fresh.has_all) == (True, False)
            again.close()
            await teller.tell(story.status("reopened"))
            await until(lambda: next(iter(hub._views.values())).status == "reopened")
            reopened = Follower(await hub.subscribe(service, T, after=follower.version), follower.graph)
            assert not reopened.subscription.has_all
            await reopened.next()
            assert reopened.told == ["graphpatch"]

    @pytest.mark.parametrize("kind", ["nonsense", "of another question", "of another task", "trimmed"])
    async def test_what_nobody_knows_is_a_gap(self, kind: str) -> None:
        log = MemoryLog()
        service = ExecutionGraphService(log=log)
        version, _ = await self.versions(log, end=False)
        if kind == "nonsense":
            version = "nonsense"
        elif kind == "of another question":
            version = (await service.get_versioned("T", depth=0)).version
        elif kind == "of another task":
            await Teller(log).tell(history("other").published())
            version = (await service.get_versioned("other")).version
        else:
            log.trim(address("T"), keep=4)
        async with hub_on(log) as hub:
            follower = Follower(await hub.subscribe(service, T, after=version))
            gap = await follower.next()
            await follower.next()

        assert gap is not None
        assert gap.body == LiveGap("unknown_version")
        assert follower.told == ["gap", "graph"]
        assert follower.json == await rebuilt(log)


class TestAStoreThatGoesAway:
    async def test_followers_are_told_and_go_on_when_it_is_back(self) -> None:
        log = FaultyLog()
        teller = Teller(log)
        attempt = history("T").published().attempt()
        await teller.tell(attempt)
        async with hub_on(log) as hub:
            follower = Follower(await hub.subscribe(ExecutionGraphService(log=log), T))
            await follower.next()
            log.unreadable = True
            await teller.tell(attempt.status("unseen"))
            away = await follower.next()
            log.unreadable = False
            await follower.until_it_holds(await rebuilt(log))
            await follower.until("status")

        assert away is not None
        assert away.body == LiveStatus("processing", "away")
        assert "gap" not in follower.told

    async def test_who_comes_meanwhile_gets_what_is_held_or_an_error(self) -> None:
        log = FaultyLog()
        service = ExecutionGraphService(log=log)
        await Teller(log).tell(history("T").published().attempt())
        async with hub_on(log) as hub:
            follower = Follower(await hub.subscribe(service, T))
            await follower.next()
            log.unreadable = True
            held = Follower(await hub.subscribe(service, T))
            await held.next()
            with pytest.raises(StoreUnreachable):
                await hub.subscribe(service, checked_question("T", depth=0))

        assert held.json == follower.json


class TestBounds:
    async def test_so_many_may_follow(self) -> None:
        log = MemoryLog()
        service = ExecutionGraphService(log=log)
        await Teller(log).tell(history("T").published())
        async with hub_on(log, most_followers=2) as hub:
            first = await hub.subscribe(service, T)
            await hub.subscribe(service, T)
            with pytest.raises(TooManyFollowers, match="Ask again"):
                await hub.subscribe(service, T)
            first.close()
            await hub.subscribe(service, T)

    async def test_one_tenant_does_not_take_all_places(self) -> None:
        log = MemoryLog()
        service, other = ExecutionGraphService(log=log), ExecutionGraphService(log=log)
        await Teller(log).tell(history("T").published())
        async with hub_on(log, most_followers_a_service=1) as hub:
            await hub.subscribe(service, T)
            with pytest.raises(TooManyFollowers, match="one tenant"):
                await hub.subscribe(service, T)
            await hub.subscribe(other, T)

    async def test_so_many_nodes_are_held_of_all_views_together(self) -> None:
        log = MemoryLog()
        service = ExecutionGraphService(log=log)
        await Teller(log).tell(history("T").published().attempt())
        async with hub_on(log, most_nodes=2) as hub:
            first = await hub.subscribe(service, checked_question("T", depth=1))
            with pytest.raises(TooManyFollowers, match="executions"):
                await hub.subscribe(service, checked_question("T", depth=2))
            first.close()
            await hub.subscribe(service, checked_question("T", depth=2))

    async def test_views_that_nobody_follows_make_room(self) -> None:
        log = MemoryLog()
        service = ExecutionGraphService(log=log)
        await Teller(log).tell(history("T").published())
        async with hub_on(log, most_views=2) as hub:
            first = await hub.subscribe(service, checked_question("T", depth=1))
            await hub.subscribe(service, checked_question("T", depth=2))
            with pytest.raises(TooManyFollowers, match="executions"):
                await hub.subscribe(service, checked_question("T", depth=3))
            first.close()
            third = await hub.subscribe(service, checked_question("T", depth=3))
            assert await third.next_message() is not None
            assert {question.depth for _, question in hub._views} == {2, 3}

    async def test_a_view_that_nobody_follows_is_dropped_after_a_while(self) -> None:
        log = MemoryLog()
        pace = Pace(interval_seconds=0.001, linger_seconds=0.01)
        await Teller(log).tell(history("T").published())
        async with LiveHub(log, limits=LiveLimits(pace=pace)) as hub:
            subscription = await hub.subscribe(ExecutionGraphService(log=log), T)
            for _ in range(100):
                await anyio.lowlevel.checkpoint()
            assert len(hub._views) == 1
            subscription.close()
            await until(lambda: not hub._views)
            assert hub._watch._waiters == {}

    async def test_when_it_closes_all_end(self) -> None:
        log = MemoryLog()
        hub = hub_on(log)
        await Teller(log).tell(history("T").published())
        async with hub:
            follower = Follower(await hub.subscribe(ExecutionGraphService(log=log), T))
            await follower.next()
        assert await follower.next() is None
        follower.subscription.close()
        with pytest.raises(LogNotOpen, match="enter it first"):
            await hub.subscribe(ExecutionGraphService(log=log), T)
        assert hub._count_followers() == 0
