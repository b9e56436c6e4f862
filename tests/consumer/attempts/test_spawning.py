"""Children by name, by variant, in other sessions: asked for once, however often their parent is handled."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from consumer.bench import QUICK, Bench, attempts
from consumer.faults import PUBLISH_FAULTS, NotingBroker
from consumer.rabbitmq.rabbitmq_bench import RabbitMQBench
from rabbitmq_server import RabbitMQ

from relayna.consumer import RetryPolicy, TaskConsumer, TaskContext, TaskEnvelope
from relayna.errors import BrokerError, InvalidQuery
from relayna.events import ChildRegistered, RunEdgeRecorded
from relayna.observability.lineage_service import LineageService

pytestmark = pytest.mark.anyio


class Parent:
    """A handler whose task `parent` does what it is told; its other tasks are noted."""

    def __init__(self, act: Any) -> None:
        self.children: list[TaskEnvelope] = []
        self._act = act

    async def __call__(self, task: TaskEnvelope, context: TaskContext) -> None:
        if task.task_id == "parent":
            await self._act(context)
        else:
            self.children.append(task)


async def work_off(bench: Bench, parent: Parent, *, retries: int = 0) -> list[ChildRegistered]:
    """What the parent's own attempts registered."""
    consumer = TaskConsumer(rabbitmq=bench.client, handler=parent, retry_policy=QUICK, prefetch=4)
    publish = lambda: bench.client.publish_task("parent", session_id="s")  # noqa: E731
    await bench.work_off(consumer, publish=publish, retries=retries)
    told = [event for event in await bench.events("parent") if event.envelope.attempt_id is not None]
    return [event.body for event in told if isinstance(event.body, ChildRegistered)]


@pytest.mark.parametrize("now", [False, True], ids=["held", "now"])
async def test_within_an_attempt_a_group_key_spawns_once(now: bool) -> None:
    asked: list[str] = []

    async def act(context: TaskContext) -> None:
        asked.append(await context.spawn({"page": 1}, group_key="a", now=now))
        asked.append(await context.spawn({"page": 2}, group_key="a", task_id="another", now=True))
        asked.append(await context.spawn({"page": 3}, group_key="b", now=now))

    parent = Parent(act)
    async with Bench() as bench:
        registered = await work_off(bench, parent)
    assert asked[0] == asked[1] != asked[2]
    assert [(one.child_task_id, one.group_key) for one in registered] == [(asked[0], "a"), (asked[2], "b")]
    assert {child.task_id: child.payload["page"] for child in parent.children} == {asked[0]: 1, asked[2]: 3}


async def test_a_child_that_could_not_be_published_can_be_asked_for_again() -> None:
    asked: list[str] = []

    async def act(context: TaskContext) -> None:
        assert isinstance(bench.broker, NotingBroker)
        bench.broker.faults[bench.broker.publishes] = PUBLISH_FAULTS["disconnected"]
        with pytest.raises(BrokerError):
            await context.spawn(group_key="a", now=True)
        asked.append(await context.spawn(group_key="a", now=True))

    parent = Parent(act)
    async with Bench(broker=lambda clock: NotingBroker(clock=clock)) as bench:
        await work_off(bench, parent)
    assert [child.task_id for child in parent.children] == asked


async def test_a_retried_parent_has_the_same_children_by_name_and_each_is_handled_once() -> None:
    asked: list[tuple[str, str]] = []

    async def act(context: TaskContext) -> None:
        named = await context.spawn(group_key="a", now=True)
        asked.append((named, await context.spawn(now=True)))
        if context.retry_attempt == 0:
            raise TimeoutError

    parent = Parent(act)
    async with Bench() as bench:
        registered = await work_off(bench, parent, retries=1)
        graph = await bench.graph(asked[0][0])
        session = await LineageService(log=bench.log).session("parent")
    (named, other), (again, another) = asked
    assert named == again
    assert other != another  # what has no name is asked for by each attempt
    assert Counter(child.task_id for child in parent.children) == {named: 1, other: 1, another: 1}
    assert [one.child_task_id for one in registered].count(named) == 2
    assert attempts(graph) == [("acked", "succeeded")]
    assert graph.summary.graph_completeness == "full"
    assert [edge.target_run for edge in session.edges if edge.is_birth].count(named) == 1


@pytest.mark.rabbitmq
async def test_a_redelivered_parent_has_one_child_on_rabbitmq(
    rabbitmq: RabbitMQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAYNA_LINEAGE_EMIT", "1")
    asked: list[str] = []

    async def act(context: TaskContext) -> None:
        asked.append(await context.spawn(group_key="a", session_id="audits", now=True))
        if len(asked) == 1:
            await bench.broker.close_channel_of(context._incoming.delivery)

    parent = Parent(act)
    async with RabbitMQBench(rabbitmq) as bench:
        policy = RetryPolicy(max_retries=3, delay_ms=40)
        consumer = TaskConsumer(rabbitmq=bench.client, handler=parent, retry_policy=policy, prefetch=4)
        async with bench.working(consumer):
            await bench.client.publish_task("parent")
            await bench.until(("parent", "completed"))
            await bench.until((asked[0], "completed"))
        await bench.recorder.durable()
        session = await LineageService(log=bench.log).session(asked[0])
    assert asked[0] == asked[1]
    assert [child.task_id for child in parent.children] == asked[:1]
    assert [(edge.kind, edge.source_run) for edge in session.edges if edge.is_birth] == [
        ("cross_session_bridge", "parent")
    ]


@pytest.mark.parametrize("emits", [True, False], ids=["on", "off"])
async def test_a_child_of_another_session(monkeypatch: pytest.MonkeyPatch, emits: bool) -> None:
    monkeypatch.setenv("RELAYNA_LINEAGE_EMIT", str(int(emits)))

    async def act(context: TaskContext) -> None:
        await context.spawn(task_id="audit", session_id="audits", variant="a2a_message", label="ask")
        await context.spawn(task_id="inner", session_id="s")

    parent = Parent(act)
    async with Bench() as bench:
        await work_off(bench, parent)
        service = LineageService(log=bench.log)
        of_parent, of_audit = await service.session("parent"), await service.session("audit")
        edges = [one.body for one in await bench.events("audit") if isinstance(one.body, RunEdgeRecorded)]
        sessions = {one.envelope.session_id for one in await bench.events("audit")} - {None}
        assert (await bench.graph("parent")).summary.graph_completeness == "full"
    assert {child.task_id: (child.session_id, child.parent_task_id) for child in parent.children} == {
        "audit": ("audits", "parent"),
        "inner": ("s", "parent"),
    }
    assert sessions == {"audits"}
    assert [edge.kind for edge in edges] == ["cross_session_bridge"] * emits
    assert (of_parent.session_id, of_audit.session_id) == ("s", "audits")
    [birth] = [edge for edge in of_audit.edges if edge.is_birth]
    assert birth.kind == ("cross_session_bridge" if emits else "spawn")
    assert (birth.source_run, birth.target_run, birth.variant, birth.label) == (
        "parent",
        "audit",
        "a2a_message",
        "ask",
    )
    shared = [edge.target_run for edge in of_parent.edges if edge.kind == "cross_session_bridge"]
    assert shared == ["audit"] * emits
    assert [edge.target_run for edge in of_parent.edges if edge.kind == "spawn"] == ["inner"]
    assert bench.counters == {}


@pytest.mark.parametrize(
    ("wrong", "parameter"),
    [
        ({"variant": "throw"}, "variant"),
        ({"label": ""}, "label"),
        ({"session_id": ""}, "session_id"),
        ({"session_id": 7}, "session_id"),
        ({"group_key": ""}, "group_key"),
        ({"group_key": 7}, "group_key"),
        ({"group_key": "x" * 501}, "group_key"),
    ],
)
async def test_words_that_make_no_sense_are_refused(wrong: dict[str, Any], parameter: str) -> None:
    async def act(context: TaskContext) -> None:
        with pytest.raises(InvalidQuery) as caught:
            await context.spawn(**wrong)
        assert caught.value.parameter == parameter

    async with Bench() as bench:
        assert await work_off(bench, Parent(act)) == []
        assert attempts(await bench.graph("parent")) == [("acked", "succeeded")]
