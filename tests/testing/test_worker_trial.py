"""Trials of workers: what a user's test says holds in memory and on RabbitMQ, and nothing stays behind."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import pytest
from anyio.abc import TaskStatus
from rabbitmq_server import RabbitMQ
from testing.trial_stories import STORIES, resize
from topologies.sample_topologies import routed, shared, workflow

from relayna.consumer import (
    DeadLetterRecorder,
    MemoryBroker,
    RetryPolicy,
    Settlement,
    TaskConsumer,
    WorkflowConsumer,
)
from relayna.consumer.service import Service
from relayna.errors import Disconnected, ExecutionNotFound, InvalidQuery, InvalidSetting
from relayna.testing import NotInTime, WorkerTrial, edges, nodes
from relayna.topologies import TOPOLOGIES, dead_letter_queue_name, topology_kind

pytestmark = pytest.mark.anyio

LONG = RetryPolicy(max_retries=2, delay_ms=30_000, jitter=0)


@pytest.fixture(params=["memory", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def amqp_url(request: pytest.FixtureRequest) -> str | None:
    if request.param == "memory":
        return None
    rabbitmq: RabbitMQ = request.getfixturevalue("rabbitmq")
    return rabbitmq.url


PROMPT_SECONDS = 20
"""Well below the drain deadline of consumers: who waits for a handler that hangs is too late."""


async def fail(task: Any, context: Any) -> None:
    raise ValueError("no such picture")


async def hang(task: Any, context: Any) -> None:
    await anyio.sleep_forever()


def resizing(trial: WorkerTrial) -> AbstractAsyncContextManager[None]:
    return trial.working(TaskConsumer(rabbitmq=trial.client, handler=resize))


def test_there_is_a_story_for_each_kind_of_topology() -> None:
    assert {topology_kind(story.topology) for story in STORIES.values()} == {one.kind for one in TOPOLOGIES}


@pytest.mark.parametrize("name", STORIES)
async def test_the_same_test_holds_on_every_broker(name: str, amqp_url: str | None) -> None:
    story = STORIES[name]
    async with WorkerTrial(story.topology, amqp_url=amqp_url) as trial:
        async with trial.working(*story.consumers(trial)):
            await story.begin(trial)
            graph = await trial.finished("order-7")
        assert await trial.statuses("order-7") == story.statuses
        assert await trial.dead_letters("order-7") == []
    assert graph.topology_kind == topology_kind(story.topology)
    assert (graph.summary.status, graph.summary.graph_completeness) == ("completed", "full")
    assert {edge.kind for edge in graph.edges} == story.edges


async def test_long_retries_are_over_soon_and_the_dead_letter_is_there(amqp_url: str | None) -> None:
    topology = shared()
    async with WorkerTrial(topology, amqp_url=amqp_url) as trial:
        consumer = TaskConsumer(rabbitmq=trial.client, handler=fail, retry_policy=LONG)
        async with trial.working(consumer):
            await trial.client.publish_task("order-7", {"width": 640})
            graph = await trial.finished("order-7")
        assert consumer.retry_policy == LONG
        [letter] = await trial.dead_letters("order-7")
        [message] = await trial.messages(dead_letter_queue_name(topology.tasks_queue))
        assert await trial.messages(dead_letter_queue_name(topology.tasks_queue)) == []
    assert graph.summary.status == "failed"
    assert [retry.annotations["delay_ms"] for retry in nodes(graph, "retry")] == [30, 60]
    assert len(edges(graph, "dead_lettered_to")) == 1
    assert not [node for node in graph.nodes if node.annotations.get("anomalies")]
    assert (letter.reason, letter.exception_message) == ("retries_exhausted", "no such picture")
    assert json.loads(message.body)["payload"] == {"width": 640}


async def test_a_function_that_was_not_called_is_named() -> None:
    def resizer() -> TaskConsumer: ...

    trial = WorkerTrial(shared())
    with pytest.raises(InvalidSetting, match="resizer is a function; give what it makes"):
        trial.working(resizer)  # type: ignore[arg-type]


async def test_retries_can_wait_as_long_as_they_say() -> None:
    async with WorkerTrial(shared(), retry_speed=1) as trial:
        consumer = TaskConsumer(rabbitmq=trial.client, handler=fail, retry_policy=LONG)
        async with trial.working(consumer):
            await trial.client.publish_task("order-7")
            graph = await trial.until("order-7", "retrying")
            graph = await trial.until("order-7", lambda graph: bool(nodes(graph, "retry")))
    assert [retry.annotations["delay_ms"] for retry in nodes(graph, "retry")] == [30_000]


def test_they_cannot_wait_longer() -> None:
    with pytest.raises(InvalidSetting, match="retry_speed"):
        WorkerTrial(shared(), retry_speed=0)


async def test_one_stage_of_a_workflow_alone(amqp_url: str | None) -> None:
    topology = workflow()

    async def ingest(message: Any, context: Any) -> None:
        await context.publish_to_stage("resize", {"width": 640})

    async with WorkerTrial(topology, amqp_url=amqp_url) as trial:
        async with trial.working(WorkflowConsumer(rabbitmq=trial.client, stage="ingest", handler=ingest)):
            await trial.client.publish_to_entry("upload", "order-7")
            await trial.handled("order-7")
        [handed_on] = await trial.messages(topology.stages[1].queue)
    assert json.loads(handed_on.body)["payload"] == {"width": 640}


async def test_workers_of_several_topologies(amqp_url: str | None) -> None:
    mails, bills = (routed(tasks_queue=name, task_types=(name,)) for name in ("email", "invoice"))

    async def read(task: Any, context: Any) -> None:
        await context.manual_retry(task_type="invoice", reason="it asks for money")

    async with (
        WorkerTrial(mails, amqp_url=amqp_url) as trial,
        trial.client_of(bills) as billing,
        trial.working(
            TaskConsumer(rabbitmq=trial.client, handler=read),
            TaskConsumer(rabbitmq=billing, handler=resize),
        ),
    ):
        await trial.client.publish_task("order-7", task_type="email")
        graph = await trial.finished("order-7")
    assert len(edges(graph, "manual_retry_to")) == 1


async def test_dead_letters_of_the_broker_are_recorded_when_somebody_does(amqp_url: str | None) -> None:
    async with WorkerTrial(shared(), amqp_url=amqp_url) as trial:
        async with trial.working(DeadLetterRecorder(rabbitmq=trial.client)):
            await trial.client.publish_task("order-7")
            queue_name = trial.topology.tasks_queue  # type: ignore[attr-defined]
            async with trial.broker.consume(queue_name, prefetch=1) as subscription:
                await trial.broker.settle(await anext(aiter(subscription)), Settlement.REJECT)
            await trial.until("order-7", lambda graph: bool(nodes(graph, "dlq_record")))
        [letter] = await trial.dead_letters("order-7")
    assert letter.reason == "rejected"


async def test_a_status_counts_although_another_came_after_it() -> None:
    async with WorkerTrial(shared()) as trial, resizing(trial):
        await trial.client.publish_task("order-7")
        await trial.finished("order-7")
        await trial.until("order-7", "resizing")


async def test_workers_without_a_last_status_are_handled() -> None:
    async with WorkerTrial(shared()) as trial:
        silent = TaskConsumer(rabbitmq=trial.client, handler=resize, lifecycle_statuses=False)
        async with trial.working(silent):
            await trial.client.publish_task("order-7")
            graph = await trial.handled("order-7")
    assert [one.annotations["outcome"] for one in nodes(graph, "task_attempt")] == ["acked"]


async def test_the_memory_broker_can_be_told_to_fail() -> None:
    async with WorkerTrial(shared()) as trial:
        assert isinstance(trial.broker, MemoryBroker)
        trial.broker.lose_acks("tasks.all")
        async with trial.working(TaskConsumer(rabbitmq=trial.client, handler=resize)):
            await trial.client.publish_task("order-7")
            graph = await trial.until(
                "order-7", lambda graph: any(one.annotations.get("anomalies") for one in graph.nodes)
            )
    assert graph.summary.status == "completed"


async def test_what_is_recorded_can_be_asked_for_afterwards() -> None:
    async with WorkerTrial(shared()) as trial:
        await trial.client.publish_task("order-7")
    assert (await trial.graph("order-7")).task_id == "order-7"
    assert await trial.statuses("order-7") == []
    assert await trial.statuses("order-8") == []
    with pytest.raises(ExecutionNotFound):
        await trial.graph("order-8")


@pytest.mark.parametrize("queue_name", ["tasks.all", "another"])
async def test_only_queues_that_rest_can_be_emptied(queue_name: str) -> None:
    async with WorkerTrial(shared()) as trial, resizing(trial):
        with pytest.raises(InvalidQuery, match=queue_name):
            await trial.messages(queue_name)


class TestFailing:
    """What a failed test says and leaves."""

    async def test_the_error_tells_what_happened_so_far(self, amqp_url: str | None) -> None:
        async with WorkerTrial(shared(), amqp_url=amqp_url) as trial:
            with anyio.fail_after(PROMPT_SECONDS), pytest.raises(NotInTime) as caught:  # noqa: PT012 - it must come out of the block as it is
                async with trial.working(TaskConsumer(rabbitmq=trial.client, handler=hang)):
                    await trial.client.publish_task("order-7")
                    await trial.until("order-7", "processing")
                    await trial.finished("order-7", patience_seconds=0.01)
        lines = str(caught.value).splitlines()
        assert lines[0] == (
            "Task 'order-7' did not finish within 0.01 s: its last status, 'processing', ends no task; "
            "order-7 attempt 1 is still running."
        )
        assert lines[-1] == "Working: TaskConsumer."
        assert caught.value.graph is not None

    async def test_a_failed_assertion_comes_out_as_it_is(self) -> None:
        cause = KeyError("why")
        async with WorkerTrial(shared()) as trial:
            with anyio.fail_after(PROMPT_SECONDS), pytest.raises(AssertionError, match="mine") as caught:  # noqa: PT012 - as above
                async with trial.working(TaskConsumer(rabbitmq=trial.client, handler=hang)):
                    await trial.client.publish_task("order-7")
                    await trial.until("order-7", "processing")
                    raise AssertionError("mine") from cause
        assert caught.value.__cause__ is cause
        assert caught.value.__context__ is None

    async def test_a_worker_that_breaks_ends_the_test_with_its_own_error(self) -> None:
        class Broken(Service):
            async def _serve(self, task_status: TaskStatus[None]) -> None:
                async with anyio.create_task_group():
                    self._has_started(task_status)
                raise Disconnected("everything")

        async with WorkerTrial(shared()) as trial:
            with pytest.raises(Disconnected, match="everything"):
                async with trial.working(TaskConsumer(rabbitmq=trial.client, handler=resize), Broken()):
                    await trial.finished("order-7")

    async def test_nobody_working_and_nothing_published_is_said(self) -> None:
        async with WorkerTrial(shared()) as trial:
            await trial.client.publish_task("order-8")
            with pytest.raises(NotInTime, match=r"there is something of order-8\.\n.*\nNo consumer"):
                await trial.handled("order-7", patience_seconds=0.01)
            with pytest.raises(NotInTime, match="<lambda> does not hold"):
                await trial.until("order-8", lambda graph: False, patience_seconds=0.01)


@pytest.mark.rabbitmq
class TestOnRabbitMQ:
    """Names of its own, and nothing left."""

    def left(self, rabbitmq: RabbitMQ) -> list[str]:
        listed = [rabbitmq.node.control(f"list_{what}", "name") for what in ("queues", "exchanges")]
        return [name for text in listed for name in text.splitlines() if ".trial-" in name]

    async def test_two_trials_do_not_meet_and_nothing_stays(self, rabbitmq: RabbitMQ) -> None:
        async with (
            WorkerTrial(shared(), amqp_url=rabbitmq.url) as one,
            WorkerTrial(shared(), amqp_url=rabbitmq.url) as other,
        ):
            await one.client.publish_task("order-7")
            async with other.working(TaskConsumer(rabbitmq=other.client, handler=resize)):
                assert len(self.left(rabbitmq)) > 10
            assert len(await one.messages("tasks.all")) == 1
            assert await other.messages("tasks.all") == []
        assert self.left(rabbitmq) == []

    async def test_nothing_stays_when_the_test_fails(self, rabbitmq: RabbitMQ) -> None:
        with pytest.raises(ZeroDivisionError):  # noqa: PT012 - it must come out of the block as it is
            async with (
                WorkerTrial(shared(), amqp_url=rabbitmq.url) as trial,
                trial.working(
                    TaskConsumer(rabbitmq=trial.client, handler=fail, retry_policy=LONG),
                    DeadLetterRecorder(rabbitmq=trial.client),
                ),
            ):
                await trial.client.publish_task("order-7")
                await trial.until("order-7", "retrying")
                raise ZeroDivisionError
        assert self.left(rabbitmq) == []

    async def test_nothing_stays_when_it_is_cancelled(self, rabbitmq: RabbitMQ) -> None:
        with anyio.CancelScope() as scope:
            async with WorkerTrial(shared(), amqp_url=rabbitmq.url):
                scope.cancel()
                await anyio.sleep_forever()
        assert self.left(rabbitmq) == []

    async def test_without_a_broker_it_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("relayna.testing.trial_venue._SECONDS_TO_CONNECT", 0.1)
        with pytest.raises(Disconnected):
            await WorkerTrial(shared(), amqp_url="amqp://127.0.0.1:1").__aenter__()


class TestWithoutOurPlugins:
    """Any runner of tests that has an asyncio loop will do."""

    def test_on_a_bare_loop(self) -> None:
        async def trial_of_a_worker() -> str | None:
            async with WorkerTrial(shared()) as trial, resizing(trial):
                await trial.client.publish_task("order-7")
                return (await trial.finished("order-7")).summary.status

        assert asyncio.run(trial_of_a_worker()) == "completed"

    def test_a_fixture_may_enter_it_in_one_task_and_leave_it_in_another(self) -> None:
        async def as_a_fixture() -> None:
            trial = WorkerTrial(shared())
            await asyncio.create_task(trial.__aenter__())
            await asyncio.create_task(trial.client.publish_task("order-7"))  # type: ignore[arg-type]
            await asyncio.create_task(trial.__aexit__(None, None, None))

        asyncio.run(as_a_fixture())

    def test_handlers_in_threads(self) -> None:
        def blocking(task: Any, context: Any) -> None:
            assert time.monotonic() > 0

        async def trial_of_a_worker() -> str | None:
            async with WorkerTrial(shared()) as trial:
                consumer = TaskConsumer(rabbitmq=trial.client, handler=blocking)
                async with trial.working(consumer):
                    await trial.client.publish_task("order-7")
                    graph = await trial.finished("order-7")
            return graph.summary.status

        assert asyncio.run(trial_of_a_worker()) == "completed"
