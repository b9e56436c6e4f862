"""What handlers of tasks ask for: children, reports, statuses; and that nothing of it outlives a failure."""

from __future__ import annotations

import functools
from typing import Any

import anyio
import pytest
from consumer.bench import QUICK, Bench, attempts, edges, nodes

from relayna.consumer import (
    AttemptOver,
    Message,
    RetryPolicy,
    StatusEnvelope,
    TaskConsumer,
    TaskContext,
    TaskEnvelope,
)
from relayna.consumer.messages.envelopes import read_body
from relayna.errors import InvalidQuery

pytestmark = pytest.mark.anyio


def consumer_of(bench: Bench, handler: Any, **options: Any) -> TaskConsumer:
    return TaskConsumer(rabbitmq=bench.client, handler=handler, **{"retry_policy": QUICK, **options})


class Family:
    """A handler whose task `parent` does what it is told, and whose other tasks are noted."""

    def __init__(self, act: Any) -> None:
        self.children: list[TaskEnvelope] = []
        self._act = act

    async def __call__(self, task: TaskEnvelope, context: TaskContext) -> None:
        if task.task_id == "parent":
            await self._act(context)
        else:
            self.children.append(task)


async def test_a_child_is_registered_published_and_linked() -> None:
    async def act(context: TaskContext) -> None:
        child = await context.spawn({"page": 1}, task_id="page-1", task_type="page")
        assert child == "page-1"

    family = Family(act)
    async with Bench() as bench:
        await bench.work_off(
            consumer_of(bench, family),
            publish=lambda: bench.client.publish_task(
                "parent", correlation_id="c", session_id="s", headers={"traceparent": "00-a"}
            ),
        )
        [child] = family.children
        assert (child.payload, child.task_type, child.parent_task_id) == ({"page": 1}, "page", "parent")
        assert (child.correlation_id, child.session_id) == ("c", "s")
        parent_told = await bench.told("parent")
        assert parent_told.index("ChildRegistered") < parent_told.index(
            "TaskLifecycleStatusPublished completed"
        )
        assert "ChildFinished completed" in parent_told
        [registered] = [
            e.envelope for e in await bench.events("parent") if type(e.body).__name__ == "ChildRegistered"
        ]
        published, received = (await bench.events("page-1"))[:2]
        assert type(published.body).__name__ == "TaskPublished"
        assert published.envelope.event_id == f"{registered.event_id}@page-1"
        assert published.envelope.seq is None
        assert received.envelope.cause == registered.event_id
        graph = await bench.graph("parent")
        assert ("aggregation_child:page-1", "aggregated_into", "task:parent") in edges(graph)
        assert graph.summary.graph_completeness == "full"
        assert (await bench.graph("page-1")).summary.graph_completeness == "full"


@pytest.mark.parametrize("now", [False, True], ids=["held", "now"])
async def test_what_a_failing_handler_asked_for(now: bool) -> None:
    async def act(context: TaskContext) -> None:
        await context.spawn(task_id="child", now=now)
        raise ValueError("no")

    family = Family(act)
    async with Bench() as bench:
        await bench.work_off(
            consumer_of(bench, family, retry_policy=RetryPolicy(max_retries=0)),
            publish=lambda: bench.client.publish_task("parent"),
        )
        assert bool(family.children) is now
        assert ("ChildRegistered" in await bench.told("parent")) is now
        assert bool(await bench.events("child")) is now


async def test_what_was_held_by_a_failed_attempt_is_published_by_the_one_that_succeeds() -> None:
    async def act(context: TaskContext) -> None:
        await context.spawn({"attempt": context.retry_attempt})
        if context.retry_attempt == 0:
            raise ValueError("not yet")

    family = Family(act)
    async with Bench() as bench:
        await bench.work_off(
            consumer_of(bench, family), publish=lambda: bench.client.publish_task("parent"), retries=1
        )
        assert [child.payload for child in family.children] == [{"attempt": 1}]
        assert nodes(await bench.graph("parent"), "aggregation_child") == [family.children[0].task_id]


async def test_what_the_handler_does_to_a_payload_later_changes_nothing() -> None:
    async def act(context: TaskContext) -> None:
        payload = {"page": 0}
        for page in (1, 2):
            payload["page"] = page
            await context.spawn(payload)

    family = Family(act)
    async with Bench() as bench:
        await bench.work_off(consumer_of(bench, family), publish=lambda: bench.client.publish_task("parent"))
    assert [child.payload["page"] for child in family.children] == [1, 2]


async def test_a_payload_that_json_cannot_hold_fails_where_it_is_asked_for() -> None:
    async def act(context: TaskContext) -> None:
        for ask in (
            functools.partial(context.spawn, object()),
            functools.partial(context.spawn, object(), now=True),
            functools.partial(context.manual_retry, payload=object()),
            functools.partial(context.publish_status, "half", meta={"odd": object()}),
        ):
            with pytest.raises(TypeError):
                await ask()

    async with Bench() as bench:
        await bench.work_off(
            consumer_of(bench, Family(act)), publish=lambda: bench.client.publish_task("parent")
        )
        graph = await bench.graph("parent")
        assert attempts(graph) == [("acked", "succeeded")]
        assert nodes(graph, "status_event") == ["processing", "completed"]
        assert "ChildRegistered" not in await bench.told("parent")


async def redelivered_children(act: Any) -> tuple[list[str], Bench]:
    """Handle `parent` twice, because the connection drops as its first attempt ends; the children asked for."""
    asked: list[str] = []

    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        if task.task_id == "parent":
            first = not asked
            asked.extend(await act(context, first))
            if first:
                bench.broker.disconnect()
                bench.broker.reconnect()

    async with Bench() as bench:
        await bench.work_off(consumer_of(bench, handle), publish=lambda: bench.client.publish_task("parent"))
        graph = await bench.graph("parent")
        assert attempts(graph) == [("released", "abandoned"), ("acked", "succeeded")]
        assert set(nodes(graph, "aggregation_child")) == set(asked)
    return asked, bench


async def test_an_attempt_that_is_repeated_asks_for_the_same_children() -> None:
    async def act(context: TaskContext, first: bool) -> list[str]:
        keyed = ["b", "a"] if first else ["a", "b"]
        children = [await context.spawn({"page": 1}), await context.spawn({"page": 2})]
        if not first:
            await context.publish_status("progress that only the repeat makes")
        children += [await context.spawn(group_key=key) for key in keyed]
        return [*children, await context.spawn({"page": 3})]

    asked, _ = await redelivered_children(act)
    first, second = asked[:5], asked[5:]
    assert len(set(first)) == 5
    assert second == [first[0], first[1], first[3], first[2], first[4]]


async def test_a_group_key_is_not_an_ordinal() -> None:
    async def act(context: TaskContext) -> None:
        names = [await context.spawn(), await context.spawn(group_key="0")]
        assert len(set(names)) == 2

    async with Bench() as bench:
        await bench.work_off(
            consumer_of(bench, Family(act)), publish=lambda: bench.client.publish_task("parent")
        )
        assert attempts(await bench.graph("parent")) == [("acked", "succeeded")]


async def test_a_message_without_an_id_has_children_all_the_same() -> None:
    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        if task.task_id == "parent":
            await context.spawn()

    async with Bench() as bench:
        message = Message(body=b'{"task_id":"parent"}')
        await bench.work_off(
            consumer_of(bench, handle),
            publish=lambda: bench.broker.publish(message, exchange="", routing_key="work"),
        )
        assert len(nodes(await bench.graph("parent"), "aggregation_child")) == 1


async def test_after_the_handler_has_returned_nothing_can_be_asked_for() -> None:
    kept: list[TaskContext] = []

    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        kept.append(context)

    async with Bench() as bench:
        await bench.work_off(consumer_of(bench, handle), publish=lambda: bench.client.publish_task("order"))
        [context] = kept
        for ask in (
            lambda: context.publish_status("late"),
            context.spawn,
            context.manual_retry,
            lambda: context.publish_aggregation_status("late"),
        ):
            with pytest.raises(AttemptOver, match="order"):
                await ask()
        assert (await bench.told("order"))[-1] == "TaskMessageAcked"


@pytest.mark.parametrize(
    ("ask", "parameter"),
    [
        (lambda context: context.publish_status(""), "status"),
        (lambda context: context.publish_aggregation_status("half"), "parent_task_id"),
        (lambda context: context.publish_aggregation_status("half", parent_task_id="p"), "topology"),
    ],
)
async def test_what_makes_no_sense_is_refused_where_it_is_asked_for(ask: Any, parameter: str) -> None:
    async def act(context: TaskContext) -> None:
        with pytest.raises(InvalidQuery) as caught:
            await ask(context)
        assert caught.value.parameter == parameter

    async with Bench() as bench:
        await bench.work_off(
            consumer_of(bench, Family(act)), publish=lambda: bench.client.publish_task("parent")
        )
        assert attempts(await bench.graph("parent")) == [("acked", "succeeded")]


async def test_statuses_from_several_tasks_of_a_handler_keep_their_numbers() -> None:
    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(context.publish_status, f"part {number}")

    async with Bench() as bench:
        await bench.work_off(consumer_of(bench, handle), publish=lambda: bench.client.publish_task("order"))
        graph = await bench.graph("order")
        assert len(nodes(graph, "status_event")) == 22
        assert graph.summary.graph_completeness == "full"
        statuses = [read_body(one.body, StatusEnvelope) for one in await bench.messages("statuses.all")]
        assert len(statuses) == len({one.status for one in statuses}) == 22
