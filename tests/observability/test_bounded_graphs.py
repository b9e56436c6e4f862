"""Graphs of executions that are larger than what is asked for: bounded, and honest about what is left out."""

from __future__ import annotations

import gc
import threading
from collections.abc import Sequence

import anyio
import pytest
from observability.telling import tell
from reliability.big_shapes import big_shapes, long_task, store

from relayna.clock import FrozenClock
from relayna.events import ChildRegistered, StatusPublished, TaskMessageReceived
from relayna.ids import TaskId
from relayna.observability import ExecutionGraphService, encode_graph
from relayna.observability.admission import Admission, Busy
from relayna.observability.graph_answer import GraphTerms
from relayna.projections.graph import ExecutionGraph
from relayna.streams import MemoryLog, StreamPage, StreamRange

pytestmark = pytest.mark.anyio

LONG = 40_000


class Watched(MemoryLog):
    """Knows how much was asked of it."""

    entries = 0
    most_at_once = 0

    async def read(self, ranges: Sequence[StreamRange]) -> list[StreamPage]:
        pages = await super().read(ranges)
        found = sum(len(page.entries) for page in pages)
        self.entries += found
        self.most_at_once = max(self.most_at_once, found)
        return pages


class Gate(Admission):
    """Counts who went in."""

    entered = 0

    async def enter(self, inside: object) -> None:  # type: ignore[override]
        await super().enter(inside)  # type: ignore[arg-type]
        self.entered += 1


async def test_a_long_task_is_read_at_both_ends() -> None:
    async with Watched() as log:
        await store(log, long_task("long", LONG))
        graph = await ExecutionGraphService(log=log).get_graph("long", max_nodes=1_000)
    assert log.entries * 4 < 17_000
    assert log.most_at_once <= 500
    assert len(graph.nodes) == 1_000
    assert "limit_reached" in graph.annotations["completeness"]
    truncated = graph.annotations["truncated"]
    [cut] = truncated["events"]["streams"]
    assert cut["task_id"] == "long"
    assert cut["entries"] == (LONG - 15_000) // 4
    assert "larger max_nodes" in truncated["events"]["hint"]
    # The end is there: the latest status is the one that was told last.
    assert graph.summary.status == f"step {LONG // 4 - 1}"


async def test_what_is_within_the_bounds_is_not_cut() -> None:
    async with Watched() as log:
        await store(log, long_task("long", 10_000))
        service = ExecutionGraphService(log=log)
        bounded = await service.get_graph("long", max_nodes=20_000)
        assert bounded == await service.get_graph("long")
        assert "truncated" not in bounded.annotations


async def test_without_max_nodes_everything_is_drawn() -> None:
    async with Watched() as log:
        await store(log, long_task("long", LONG))
        graph = await ExecutionGraphService(log=log).get_graph("long")
    assert len([node for node in graph.nodes if node.kind == "task_attempt"]) == LONG // 4
    assert graph.annotations == {}


async def test_many_children_are_bounded_in_every_list() -> None:
    async with Watched() as log:
        await store(log, big_shapes(5_000)["children"])
        log.entries = 0
        graph = await ExecutionGraphService(log=log).get_graph("children", max_nodes=800)
    assert len(graph.nodes) == 800
    assert len(graph.related_task_ids) == len(graph.annotations["gaps"]) == 1_000
    truncated = graph.annotations["truncated"]
    assert truncated["related_task_ids"]["left_out"] == 4_000
    assert truncated["tasks"]["children_not_read"] == 5_001 - 200
    assert truncated["gaps"]["left_out"] > 3_000
    assert log.entries < 1_000
    assert len(encode_graph(graph)) < 1_000_000


async def test_children_share_what_is_left() -> None:
    clock = FrozenClock()
    async with Watched(clock=clock) as log:
        names = [f"child-{number}" for number in range(10)]
        await tell(log, clock, "P", *(ChildRegistered(child_task_id=TaskId(name)) for name in names))
        for name in names:
            await store(log, long_task(name, 8_000))
        graph = await ExecutionGraphService(log=log, clock=clock).get_graph("P", max_nodes=1_000)
    cut = graph.annotations["truncated"]["events"]
    assert cut["streams_cut"] == 10
    assert {stream["task_id"] for stream in cut["streams"]} == set(names)
    assert {stream["entries"] for stream in cut["streams"]} == {2_000 - 500}


@pytest.mark.parametrize("name", ["chain", "circle", "wide"])
async def test_deep_circular_and_wide_ones_end(name: str) -> None:
    async with Watched() as log:
        await store(log, big_shapes(5_000)[name])
        graph = await ExecutionGraphService(log=log).get_graph(name, depth=50, max_nodes=500)
    assert len(graph.nodes) <= 500
    assert graph.summary.graph_completeness == "partial"
    assert ("cycle" in graph.annotations["completeness"]) == (name == "circle")
    assert ("truncated" in graph.annotations) == (name != "circle")


async def test_large_bodies_are_read_in_small_pages() -> None:
    clock = FrozenClock()
    async with Watched(clock=clock) as log:
        for number in range(600):
            text = f"{number}: {'x' * 60_000}"
            await tell(log, clock, "T", *(StatusPublished(status=text[:15_000]) for _ in range(8)))
        graph = await ExecutionGraphService(log=log, clock=clock).get_graph("T", max_nodes=100)
    assert 200 < log.entries < 500
    assert log.most_at_once <= 100
    assert graph.annotations["truncated"]["events"]["streams"][0]["entries"] > 100


async def test_a_part_is_taken_of_the_whole_when_that_is_small_enough() -> None:
    async with Watched() as log:
        await store(log, long_task("long", 8_000))
        service = ExecutionGraphService(log=log)
        cut = await service.get_graph("long", max_nodes=100)
        folded = await service.get_graph("long", max_nodes=100, collapse=["statuses", "attempts"])
    assert cut.annotations["truncated"]["max_nodes"]["nodes_left_out"] > 1_000
    assert folded.annotations["collapse"]
    assert len(folded.nodes) <= 100


async def test_small_graphs_need_no_turn_and_large_ones_take_one() -> None:
    clock = FrozenClock()
    gate = Gate(at_once=1, waiting=0)
    async with Watched(clock=clock) as log:
        await tell(log, clock, "small", TaskMessageReceived())
        await store(log, long_task("long", 8_000))
        service = ExecutionGraphService(log=log, clock=clock, admission=gate)
        await service.get_graph("small")
        assert gate.entered == 0
        await service.get_graph("long")
        assert gate.entered == 1


async def test_when_the_gate_is_full_large_graphs_are_refused_and_small_ones_not() -> None:
    clock = FrozenClock()
    gate = Admission(at_once=1, waiting=0)
    async with Watched(clock=clock) as log:
        await tell(log, clock, "small", TaskMessageReceived())
        await store(log, long_task("long", 8_000))
        service = ExecutionGraphService(log=log, clock=clock, admission=gate)
        with gate.turn() as turn:
            await turn.take()
            with pytest.raises(Busy, match="a smaller max_nodes"):
                await service.get_graph("long")
            assert len((await service.get_graph("small")).nodes) == 2
        assert (await service.get_graph("long")).nodes
    assert gc.get_threshold()[2] < 1_000


async def test_the_same_question_at_the_same_time_is_folded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    folded: list[int] = []
    fold = GraphTerms.fold

    def counted(self: GraphTerms, *arguments: object) -> ExecutionGraph:
        folded.append(threading.get_ident())
        return fold(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(GraphTerms, "fold", counted)
    graphs: list[ExecutionGraph] = []
    async with Watched() as log:
        await store(log, long_task("long", 8_000))
        service = ExecutionGraphService(log=log)

        async def ask(depth: int) -> None:
            graphs.append(await service.get_graph("long", depth=depth))

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(ask, number % 2)
    assert len(folded) == 2
    assert threading.get_ident() not in folded
    assert len({id(graph) for graph in graphs}) == 2


async def test_who_asks_after_an_append_is_answered_with_it() -> None:
    clock = FrozenClock()
    first_page = anyio.Event()
    go_on = anyio.Event()

    class Slow(MemoryLog):
        async def read(self, ranges: Sequence[StreamRange]) -> list[StreamPage]:
            pages = await super().read(ranges)
            first_page.set()
            await go_on.wait()
            return pages

    statuses: dict[str, str | None] = {}
    async with Slow(clock=clock) as log:
        await tell(log, clock, "T", StatusPublished(status="before"))
        service = ExecutionGraphService(log=log, clock=clock)

        async def ask(name: str) -> None:
            statuses[name] = (await service.get_graph("T")).summary.status

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, "early")
            await first_page.wait()
            clock.advance(1)
            await tell(log, clock, "T", StatusPublished(status="after"))
            tasks.start_soon(ask, "late")
            await anyio.wait_all_tasks_blocked()
            go_on.set()
    assert statuses == {"early": "before", "late": "after"}


async def test_whoever_wants_to_know_is_told_of_graphs_that_were_built() -> None:
    told: list[tuple[str, float, bool]] = []

    class Told:
        def built(self, graph: ExecutionGraph, seconds: float, *, whole: bool) -> None:
            told.append((graph.task_id, seconds, whole))

    clock = FrozenClock()
    async with Watched(clock=clock) as log:
        await tell(log, clock, "T", TaskMessageReceived(), StatusPublished(status="processing"))
        service = ExecutionGraphService(log=log, clock=clock, reports=Told())
        await service.get_graph("T")
        await service.get_graph("T", view="failures")
        await service.get_graph("T", max_nodes=1)
        await service.get_graph("T", max_nodes=100)
    assert told == [("T", 0.0, True), ("T", 0.0, False), ("T", 0.0, False), ("T", 0.0, True)]
