"""What is kept of graphs: only what is new is read, nothing is folded twice, and no answer differs for it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from observability.telling import tell
from servers import StoreUnderTest

from relayna.clock import FrozenClock
from relayna.errors import ExecutionNotFound, InvalidSetting
from relayna.events import ChildFinished, ChildRegistered, StatusPublished, TaskMessageReceived
from relayna.ids import TaskId, Tenant
from relayna.observability import ExecutionGraphService, left_out
from relayna.observability.graph_cache import GraphCache
from relayna.projections.graph import encode_graph
from relayna.streams import Append, MemoryLog, StreamPage, StreamRange, TaskAddress
from relayna.streams.redis import RedisLog
from relayna.streams.redis.restoring import restore_stream
from relayna.streams.redis.sealing import seal_streams

pytestmark = pytest.mark.anyio

WEEK = 7 * 86_400
NUMBERS = count()


class Reads(MemoryLog):
    """Counts round trips, and the entries that they brought."""

    round_trips = 0
    entries = 0

    async def read(self, ranges: Sequence[StreamRange]) -> list[StreamPage]:
        pages = await super().read(ranges)
        self.round_trips += 1
        self.entries += sum(len(page.entries) for page in pages)
        return pages


class Outcomes:
    """How often each outcome was counted, and how much was forgotten."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []
        self.evicted = 0

    def increment(self, name: str, by: int = 1, **labels: str) -> None:
        if name == "relayna_graph_cache_total":
            self.outcomes.append(labels["outcome"])
        else:
            self.evicted += by


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def log(clock: FrozenClock) -> Reads:
    return Reads(clock=clock)


def children(*names: str) -> list[ChildRegistered]:
    return [ChildRegistered(child_task_id=TaskId(name)) for name in names]


async def test_an_unchanged_task_is_answered_as_it_was(log: Reads, clock: FrozenClock) -> None:
    counted = Outcomes()
    await tell(log, clock, "T", TaskMessageReceived(), *children("there", "not"))
    await tell(log, clock, "there", TaskMessageReceived())
    service = ExecutionGraphService(log=log, clock=clock, cache=GraphCache(counters=counted))
    first = await service.get_versioned("T")
    read = log.entries

    assert await service.get_versioned("T") is first
    assert log.entries == read
    assert log.round_trips == 4
    assert counted.outcomes == ["missed", "answered"]


async def test_of_what_has_grown_only_the_new_is_read(log: Reads, clock: FrozenClock) -> None:
    counted = Outcomes()
    for number in range(300):  # more than a page
        await tell(log, clock, "T", StatusPublished(status=f"step {number}"))
        clock.advance(1)
    service = ExecutionGraphService(log=log, clock=clock, cache=GraphCache(counters=counted))
    await service.get_versioned("T")
    await tell(log, clock, "T", StatusPublished(status="one more"), *children("C"))
    clock.advance(1)
    await tell(log, clock, "C", TaskMessageReceived())
    log.round_trips = log.entries = 0
    answer = await service.get_versioned("T")

    assert (log.round_trips, log.entries) == (2, 2)
    assert counted.outcomes == ["missed", "continued"]
    assert answer == await ExecutionGraphService(log=log, clock=clock).get_versioned("T")


async def test_other_questions_share_the_streams(log: Reads, clock: FrozenClock) -> None:
    await tell(log, clock, "T", TaskMessageReceived(), *children("C"))
    await tell(log, clock, "C", TaskMessageReceived())
    service = ExecutionGraphService(log=log, clock=clock, cache=GraphCache())
    await service.get_versioned("T")
    log.entries = 0
    of_child = await service.get_versioned("C")

    assert log.entries == 0
    assert of_child == await ExecutionGraphService(log=log, clock=clock).get_versioned("C")


async def test_who_may_change_a_graph_has_one_of_their_own(log: Reads, clock: FrozenClock) -> None:
    await tell(log, clock, "T", TaskMessageReceived())
    service = ExecutionGraphService(log=log, clock=clock, cache=GraphCache())
    kept = await service.get_versioned("T")
    (await service.get_graph("T")).nodes.clear()

    assert (await service.get_versioned("T")).graph.nodes == kept.graph.nodes != []


async def test_tenants_share_the_bound_and_nothing_else(log: Reads, clock: FrozenClock) -> None:
    cache = GraphCache()
    await tell(log, clock, "T", TaskMessageReceived())
    await ExecutionGraphService(log=log, clock=clock, cache=cache).get_versioned("T")
    others = ExecutionGraphService(log=log, clock=clock, cache=cache, tenant=Tenant("others"))

    with pytest.raises(ExecutionNotFound):
        await others.get_versioned("T")


async def test_the_least_recently_used_goes_first(log: Reads, clock: FrozenClock) -> None:
    counted = Outcomes()
    for name in ("A", "B", "C"):
        await tell(log, clock, name, TaskMessageReceived())
    # A stream of one event and its graph: two nodes and an edge.
    service = ExecutionGraphService(log=log, clock=clock, cache=GraphCache(most_items=8, counters=counted))
    for name in ("A", "B", "A", "C", "A", "B"):
        await service.get_versioned(name)

    assert counted.outcomes == ["missed", "missed", "answered", "missed", "answered", "missed"]
    assert counted.evicted == 4


async def test_a_few_events_that_say_much_count_for_many(log: Reads, clock: FrozenClock) -> None:
    counted = Outcomes()
    service = ExecutionGraphService(log=log, clock=clock, cache=GraphCache(most_items=100, counters=counted))
    for name in ("A", "B", "C"):
        await tell(log, clock, name, StatusPublished(status="running", message="x" * 12_000))
        await service.get_versioned(name)

    # A stream and its graph each keep 12 KB alive: of these six, two have room.
    assert counted.evicted == 4


async def test_a_bound_of_nothing_keeps_nothing(log: Reads, clock: FrozenClock) -> None:
    counted = Outcomes()
    await tell(log, clock, "T", TaskMessageReceived())
    service = ExecutionGraphService(log=log, clock=clock, cache=GraphCache(most_items=0, counters=counted))
    for _ in range(2):
        await service.get_versioned("T")

    assert counted.outcomes == ["missed", "missed"]
    with pytest.raises(InvalidSetting, match="graph_cache_items"):
        GraphCache(most_items=-1)


async def test_what_is_cut_is_read_anew(log: Reads, clock: FrozenClock) -> None:
    """Where a bound bites, what is left out depends on the order of reading."""
    for number in range(200):
        bodies = [StatusPublished(status=f"{number} {part}") for part in range(100)]
        await tell(log, clock, "T", *bodies)
        clock.advance(1)
    service = ExecutionGraphService(log=log, clock=clock, cache=GraphCache())
    for bounded in (10, None, 10):
        answer = await service.get_versioned("T", max_nodes=bounded)
        fresh = await ExecutionGraphService(log=log, clock=clock).get_versioned("T", max_nodes=bounded)
        assert answer == fresh


async def test_what_is_cut_is_answered_again_while_nothing_has_changed(
    log: Reads, clock: FrozenClock
) -> None:
    counted = Outcomes()
    for number in range(210):
        await tell(log, clock, "T", *[StatusPublished(status=f"{number}")] * 100)
    service = ExecutionGraphService(log=log, clock=clock, cache=GraphCache(counters=counted))
    first = await service.get_versioned("T", max_nodes=10)
    log.round_trips = 0

    assert await service.get_versioned("T", max_nodes=10) is first
    assert await service.is_current(first.version, "T", max_nodes=10)
    assert log.round_trips == 0
    assert counted.outcomes == ["missed", "answered"]

    await tell(log, clock, "T", StatusPublished(status="one more"))
    again = await service.get_versioned("T", max_nodes=10)
    assert again == await ExecutionGraphService(log=log, clock=clock).get_versioned("T", max_nodes=10)
    assert again.version != first.version
    as_of = await service.get_versioned("T", max_nodes=10, as_of=again.version)
    assert as_of.graph.annotations["as_of"] == again.version


async def test_many_at_once_are_all_answered_as_it_is_now(log: Reads, clock: FrozenClock) -> None:
    await tell(log, clock, "T", TaskMessageReceived())
    service = ExecutionGraphService(log=log, clock=clock, cache=GraphCache())

    async def ask(depth: int) -> None:
        answer = await service.get_versioned("T", depth=depth)
        fresh = await ExecutionGraphService(log=log, clock=clock).get_versioned("T", depth=depth)
        assert answer == fresh

    for _ in range(3):
        clock.advance(1)
        await tell(log, clock, "T", StatusPublished(status="more"))
        async with anyio.create_task_group() as asking:
            for number in range(9):
                asking.start_soon(ask, number % 3)


class Upheaval:
    """A family on a real server, and everything that can become of its streams."""

    def __init__(self, log: RedisLog, store: StoreUnderTest, clock: FrozenClock) -> None:
        self._log = log
        self._store = store
        self._clock = clock
        family = next(NUMBERS)
        self.tasks = [f"{name}-{family}" for name in ("root", "child", "grandchild")]

    async def step(self, what: str, number: int, part: int) -> None:
        task, child = self.tasks[number], self.tasks[(number + 1) % 3]
        address = TaskAddress(TaskId(task))
        stream = self._log.keys.events(address)
        match what:
            case "tell":
                await tell(self._log, self._clock, task, *[StatusPublished(status="on its way")] * (part + 1))
            case "spawn":
                await tell(self._log, self._clock, task, *children(child))
            case "finish":
                ended = ChildFinished(child_task_id=TaskId(child), status="completed")
                await tell(self._log, self._clock, task, ended)
            case "foreign":
                await self._log.append([Append(address, b"no frame")])
            case "trim":
                self._store.admin.xtrim(stream, maxlen=part, approximate=False)
            case "drop":
                entries = self._store.admin.xrange(stream)
                self._store.admin.xdel(
                    stream, *(stream_id for stream_id, _ in entries[part : part + 1]), "0-1"
                )
            case "delete":
                self._store.admin.delete(stream)
            case "restore":
                await self._restore(address, stream, part)
            case "seal":
                await seal_streams(self._log, [address], quiet_seconds=0)
            case _:
                self._clock.advance(part * WEEK / 2)
        self._clock.advance(1)

    async def _restore(self, address: TaskAddress, stream: str, part: int) -> None:
        """Delete it, and bring all or some of it back."""
        (page,) = await self._log.read([StreamRange(address=address)])
        self._store.admin.delete(stream)
        brought = [*page.entries[:part], *page.entries[part + 1 :]] if part else page.entries
        missing = page.state.entries_added - len(brought)
        await restore_stream(self._log, address, brought, missing=missing, retention_seconds=WEEK)


STEPS = st.tuples(
    st.sampled_from(
        [
            "tell",
            "tell",
            "tell",
            "spawn",
            "spawn",
            "finish",
            "foreign",
            "trim",
            "drop",
            "delete",
            "restore",
            "seal",
            "wait",
        ]
    ),
    st.integers(0, 2),
    st.integers(0, 3),
)
QUESTIONS = st.tuples(st.integers(0, 1), st.sampled_from([0, 1, 3]), st.sampled_from([None, 2, 5_000]))


async def answered(service: ExecutionGraphService, task: str, depth: int, most: int | None) -> object:
    try:
        answer = await service.get_versioned(task, depth=depth, max_nodes=most)
    except ExecutionNotFound:
        return None
    return answer.version, encode_graph(answer.graph), answer.streams


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(STEPS, QUESTIONS), min_size=2, max_size=14),
    st.sampled_from([6, 50_000]),
    st.booleans(),
)
def test_what_is_kept_changes_no_answer(
    store: StoreUnderTest,
    steps: list[tuple[tuple[str, int, int], tuple[int, int, int | None]]],
    most_items: int,
    most_are_cut: bool,
) -> None:
    async def compare() -> None:
        clock = FrozenClock()
        async with RedisLog(store.url, prefix=store.prefix) as log:
            upheaval = Upheaval(log, store, clock)
            keeping, anew = (
                ExecutionGraphService(log=log, clock=clock, retention_seconds=WEEK, cache=cache)
                for cache in (GraphCache(most_items=most_items), None)
            )
            await upheaval.step("spawn", 0, 0)
            for step, (number, depth, most) in steps:
                await upheaval.step(*step)
                task = upheaval.tasks[number]
                assert await answered(keeping, task, depth, most) == await answered(anew, task, depth, most)

    with pytest.MonkeyPatch.context() as patched:
        if most_are_cut:
            patched.setattr(left_out, "_FEWEST_EVENTS", 1)
            patched.setattr(left_out, "_EVENTS_A_NODE", 1)
        anyio.run(compare)
