"""Handlers that wait for children: when a wait is over, which child ended it, and that it is told once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from consumer.bench import QUICK, Bench, attempts
from consumer.faults import NotedSink
from consumer.rabbitmq.rabbitmq_bench import RabbitMQBench
from rabbitmq_server import RabbitMQ

from relayna.consumer import (
    ChildrenEnded,
    ChildrenNotEnded,
    RelaynaClient,
    RetryPolicy,
    TaskConsumer,
    TaskContext,
    TaskEnvelope,
)
from relayna.consumer.attempts.suspension import WaitMode, ends_of, waker
from relayna.errors import InvalidQuery, InvalidSetting
from relayna.events import ChildFinished, Envelope, RecordedEvent, RunEdgeRecorded, StatusPublished
from relayna.ids import EventId, TaskId
from relayna.instants import Instant
from relayna.observability.lineage_service import LineageService
from relayna.streams import Log

pytestmark = pytest.mark.anyio

A, B, C = map(TaskId, "abc")


@pytest.fixture(autouse=True)
def emits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYNA_LINEAGE_EMIT", "1")


@pytest.mark.parametrize(
    ("mode", "ended", "expected"),
    [
        ("all", {}, None),
        ("all", {A: "failed", C: "completed"}, None),
        ("all", {C: "completed", A: "failed", B: None}, B),
        ("any", {}, None),
        ("any", {B: "failed", A: "completed"}, B),
        ("first_success", {A: "failed", B: None}, None),
        ("first_success", {A: "dead_lettered", C: "printed", B: "completed"}, C),
        ("first_success", {A: "cancelled", C: "failed", B: "dead_lettered"}, B),
    ],
)
def test_which_child_wakes_its_parent(mode: WaitMode, ended: dict[TaskId, str | None], expected: Any) -> None:
    assert waker(ended, (A, B, C), mode) == expected


def test_each_child_ends_once_and_others_do_not_count() -> None:
    bodies = [
        StatusPublished(status="completed"),
        ChildFinished(child_task_id=B, status="failed"),
        ChildFinished(child_task_id=C, status="completed"),
        ChildFinished(child_task_id=B, status="dead_lettered"),
    ]
    events = [
        RecordedEvent(
            envelope=Envelope(event_id=EventId(f"{n}"), timestamp=Instant(n), task_id=TaskId("p")), body=body
        )
        for n, body in enumerate(bodies)
    ]
    assert ends_of(events, (A, B)) == {B: "failed"}


class Parent:
    """Spawns `good`, `bad` and `slow`, and waits in its own way; `good` and `slow` end when they may."""

    def __init__(self, waits: Callable[[Parent, TaskContext], Awaitable[None]]) -> None:
        self.may_end = {"good": anyio.Event(), "slow": anyio.Event()}
        self.woken: list[ChildrenEnded] = []
        self._waits = waits

    async def __call__(self, task: TaskEnvelope, context: TaskContext) -> None:
        if task.task_id == "parent":
            for child in ("good", "bad", "slow"):
                await context.spawn(task_id=child, now=True)
            await self._waits(self, context)
        elif task.task_id == "bad":
            raise ValueError("no")
        else:
            await self.may_end[task.task_id].wait()

    def consumer(self, client: RelaynaClient) -> TaskConsumer:
        return TaskConsumer(
            rabbitmq=client, handler=self, retry_policy=RetryPolicy(max_retries=0), prefetch=4
        )


async def every_mode(parent: Parent, context: TaskContext) -> None:
    parent.woken.append(await context.suspend(["bad"], mode="first_success"))
    parent.may_end["good"].set()
    parent.woken.append(await context.suspend(["bad", "good", "slow"], mode="first_success"))
    parent.woken.append(await context.suspend(mode="any"))
    parent.may_end["slow"].set()
    parent.woken.append(await context.suspend())


async def check_every_mode(parent: Parent, log: Log) -> None:
    last_without_success, first_success, first, last = parent.woken
    failed, completed = {"bad": "failed"}, {"bad": "failed", "good": "completed"}
    assert (last_without_success.woken_by, last_without_success.statuses) == ("bad", failed)
    assert (first_success.woken_by, first_success.statuses) == ("good", completed)
    assert (first.woken_by, first.waiting) == ("bad", ("slow",))
    assert (last.woken_by, last.statuses, last.waiting) == ("slow", {**completed, "slow": "completed"}, ())
    session = await LineageService(log=log).session("parent")
    resumes = [edge.source_run for edge in session.edges if edge.kind == "resume"]
    assert resumes == ["bad", "good", "bad", "slow"]
    below = await LineageService(log=log).downstream("slow")
    assert [(edge.kind, edge.target_run) for edge in below.edges][:1] == [("resume", "parent")]


async def test_every_mode_in_memory() -> None:
    parent = Parent(every_mode)
    async with Bench() as bench:
        await bench.work_off(
            parent.consumer(bench.client), publish=lambda: bench.client.publish_task("parent")
        )
        await bench.recorder.durable()
        await check_every_mode(parent, bench.log)
        assert (await bench.graph("parent")).summary.graph_completeness == "full"


@pytest.mark.rabbitmq
async def test_every_mode_on_rabbitmq(rabbitmq: RabbitMQ) -> None:
    parent = Parent(every_mode)
    async with RabbitMQBench(rabbitmq) as bench:
        async with bench.working(parent.consumer(bench.client)):
            await bench.client.publish_task("parent")
            await bench.until(("parent", "completed"))
        await bench.recorder.durable()
        await check_every_mode(parent, bench.log)


async def test_it_looks_ever_less_often_and_gives_up_in_time() -> None:
    raised: list[ChildrenNotEnded] = []

    async def waits(parent: Parent, context: TaskContext) -> None:
        with pytest.raises(ChildrenNotEnded) as caught:
            await context.suspend(timeout=5)
        raised.append(caught.value)
        parent.may_end["good"].set()
        parent.may_end["slow"].set()

    async with Bench() as bench:

        async def time_passes() -> None:
            while len(bench.workers_clock.pauses) < 7:
                await anyio.lowlevel.checkpoint()
            bench.clock.advance(4.5)

        async def publish() -> None:
            await bench.client.publish_task("parent")
            await time_passes()
            while not raised:
                await anyio.lowlevel.checkpoint()
                bench.clock.advance(0.1)

        await bench.work_off(Parent(waits).consumer(bench.client), publish=publish)
        told = [one.body for one in await bench.events("parent")]
    [error] = raised
    assert isinstance(error, TimeoutError)
    assert (error.task_id, error.seconds, set(error.waiting)) == ("parent", 5, {"good", "slow"})
    assert "waited 5 s for" in str(error)
    assert bench.workers_clock.pauses[:7] == [0.05, 0.1, 0.2, 0.4, 0.8, 1, 1]
    assert max(bench.workers_clock.pauses) == 1
    assert not any(isinstance(body, RunEdgeRecorded) for body in told)


async def test_a_store_that_is_away_is_waited_for() -> None:
    async def waits(parent: Parent, context: TaskContext) -> None:
        parent.woken.append(await context.suspend(["bad"]))
        parent.may_end["good"].set()
        parent.may_end["slow"].set()

    parent = Parent(waits)
    async with Bench(sink=NotedSink) as bench:
        assert isinstance(bench.sink, NotedSink)
        bench.sink.unreadable = True

        async def publish() -> None:
            await bench.client.publish_task("parent")
            while bench.counters["relayna_suspended_reads_failed_total"] < 3:
                await anyio.lowlevel.checkpoint()
            bench.sink.unreadable = False  # type: ignore[union-attr]

        await bench.work_off(parent.consumer(bench.client), publish=publish)
    assert [one.woken_by for one in parent.woken] == ["bad"]


async def test_a_repeated_attempt_finds_them_at_once_and_was_woken_once() -> None:
    woken: list[ChildrenEnded] = []
    handled: list[str] = []

    async with Bench() as bench:

        async def handle(task: TaskEnvelope, context: TaskContext) -> None:
            handled.append(task.task_id)
            if task.task_id != "parent":
                return
            await context.spawn(now=True)
            await context.spawn(group_key="b", now=True)
            before = bench.workers_clock.pauses.count(0.05)  # its copied children pause too, for longer
            woken.append(await context.suspend())
            if len(woken) == 1:
                bench.broker.disconnect()
                bench.broker.reconnect()
            else:
                assert bench.workers_clock.pauses.count(0.05) == before

        consumer = TaskConsumer(rabbitmq=bench.client, handler=handle, prefetch=4)
        await bench.work_off(consumer, publish=lambda: bench.client.publish_task("parent"))
        await bench.recorder.durable()
        session = await LineageService(log=bench.log).session("parent")
        assert attempts(await bench.graph("parent")) == [("released", "abandoned"), ("acked", "succeeded")]
    assert woken[0] == woken[1]
    assert sorted(handled) == sorted(["parent", "parent", *woken[0].statuses])
    assert sorted(edge.kind for edge in session.edges) == ["resume", "retry", "spawn", "spawn", "user_start"]


async def test_nothing_is_recorded_while_it_is_off_and_it_waits_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("RELAYNA_LINEAGE_EMIT")
    parent = Parent(every_mode)
    async with Bench() as bench:
        await bench.work_off(
            parent.consumer(bench.client), publish=lambda: bench.client.publish_task("parent")
        )
        told = [one.body for one in await bench.events("parent")]
    assert [one.woken_by for one in parent.woken] == ["bad", "good", "bad", "slow"]
    assert not any(isinstance(body, RunEdgeRecorded) for body in told)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "none spawned": ({}, "children"),
    "none named": ({"children": []}, "children"),
    "text": ({"children": "child"}, "children"),
    "itself": ({"children": ["parent"]}, "children"),
    "held": ({"children": ["held"]}, "children"),
    "mode": ({"children": ["child"], "mode": "most"}, "mode"),
    "timeout": ({"children": ["child"], "timeout": -1}, "timeout"),
    "no id": ({"children": [7]}, "task_id"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_cannot_be_waited_for_is_refused(case: str) -> None:
    arguments, parameter = REFUSED[case]
    refused: list[InvalidQuery] = []

    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        if task.task_id == "parent":
            await context.spawn(task_id="held")
            with pytest.raises(InvalidQuery) as caught:
                await context.suspend(**arguments)
            refused.append(caught.value)

    async with Bench() as bench:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=handle, retry_policy=QUICK)
        await bench.work_off(consumer, publish=lambda: bench.client.publish_task("parent"))
        assert bench.counters["relayna_lineage_emission_failures_total"] == 1
    assert [error.parameter for error in refused] == [parameter]


async def test_without_a_sink_nobody_says_how_children_end() -> None:
    refused: list[InvalidSetting] = []

    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        with pytest.raises(InvalidSetting) as caught:
            await context.suspend(["child"])
        refused.append(caught.value)

    async with Bench(sink=lambda _: None) as bench:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=handle)
        await bench.work_off(consumer, publish=lambda: bench.client.publish_task("parent"))
    assert [error.name for error in refused] == ["observation_sink"]
