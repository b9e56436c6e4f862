"""What the recorder of dead letters promises, on any broker."""

from __future__ import annotations

import anyio
import pytest
from consumer.bench import attempts, edges, nodes
from consumer.faults import NotedSink
from consumer.record_world import RecordWorld, running

from relayna.consumer import (
    DeadLetterRecorder,
    Message,
    RelaynaClient,
    RetryPolicy,
    Settlement,
    TaskConsumer,
    TaskContext,
    TaskEnvelope,
)
from relayna.events import DeadLetterRecorded, RecordedEvent
from relayna.topologies import dead_letter_queue_name, dead_letter_record_queue_name

__all__ = ["DeadLetterRecorderContract", "die_at_work", "letters"]


def letters(events: list[RecordedEvent]) -> list[DeadLetterRecorded]:
    """What is kept of dead letters there."""
    return [event.body for event in events if isinstance(event.body, DeadLetterRecorded)]


async def die_at_work(world: RecordWorld) -> None:
    """A worker process takes the next task, begins, and dies: it tells nobody, and its delivery goes back."""
    recorder = world.recorder()
    sink = NotedSink(recorder)
    client = RelaynaClient(topology=world.topology, broker=world.broker, observation_sink=sink)
    at_work = anyio.Event()

    async def work(task: TaskEnvelope, context: TaskContext) -> None:
        await recorder.durable()
        sink.dead = True
        at_work.set()
        await anyio.sleep_forever()

    consumer = TaskConsumer(rabbitmq=client, handler=work, drain_seconds=0, lifecycle_statuses=False)
    async with running(consumer):
        await at_work.wait()


class DeadLetterRecorderContract:
    """Subclass it with a fixture `world`, whose topology has a delivery limit of 1."""

    async def test_a_message_over_the_delivery_limit_closes_its_open_attempt(
        self, world: RecordWorld
    ) -> None:
        work = world.topology.tasks_queue
        await world.client.publish_task("T", {"size": 3})
        for _ in range(2):
            await die_at_work(world)
        async with running(DeadLetterRecorder(rabbitmq=world.client)):
            await world.until_settled(dead_letter_record_queue_name(work), 1)
        graph = await world.graph("T")
        assert nodes(graph, "dlq_record") == ["delivery_limit"]
        assert [outcome for outcome, _ in attempts(graph)] == ["abandoned", "dead_lettered"]
        assert ("task-attempt:T:2", "dead_lettered_to", "dlq:T:1") in edges(graph)
        first = next(node for node in graph.nodes if node.id == "task-attempt:T:1")
        unclosed = [gap["attempt"] for gap in graph.annotations["gaps"] if gap["reason"] == "unclosed"]
        assert unclosed == [first.annotations["ref"]]
        [letter] = letters(await world.events("T"))
        assert (letter.queue_name, letter.source_queue_name) == (dead_letter_queue_name(work), work)
        [kept] = await world.left_in(dead_letter_queue_name(work))
        assert (letter.body, letter.body_size) == (kept.body, len(kept.body))
        assert (letter.headers or {})["x-death"][0]["queue"] == work

    async def test_a_workers_own_dead_letter_is_one_node(self, world: RecordWorld) -> None:
        async def fail(task: TaskEnvelope, context: TaskContext) -> None:
            raise ValueError("no")

        work = world.topology.tasks_queue
        worker = TaskConsumer(rabbitmq=world.client, handler=fail, retry_policy=RetryPolicy(max_retries=0))
        recorder = DeadLetterRecorder(rabbitmq=world.client, observation_sink=world.recorder())
        async with running(worker, recorder):
            await world.client.publish_task("T", parent_task_id="P")
            await world.until_settled(work, 1)
            before = await world.events("T")
            await world.until_settled(dead_letter_record_queue_name(work), 1)
        told, recorded = letters(await world.events("T"))
        assert told.dead_letter_id == recorded.dead_letter_id
        graph = await world.graph("T")
        assert nodes(graph, "dlq_record") == ["retries_exhausted"]
        assert "warnings" not in graph.annotations
        assert graph.summary.graph_completeness == "full"
        assert len(letters(before)) >= 1
        ends = [event for event in await world.events("P") if type(event.body).__name__ == "ChildFinished"]
        assert {event.envelope.producer for event in ends} == {world.client.producer}
        assert len(await world.left_in(dead_letter_queue_name(work))) == 1

    async def test_what_another_program_rejects_is_recorded(self, world: RecordWorld) -> None:
        work = world.topology.tasks_queue
        for body in (b'{"task_id": "T"}', b"what?"):
            await world.broker.publish(Message(body=body), exchange="", routing_key=work)
        async with world.broker.consume(work, prefetch=1) as subscription:
            for _ in range(2):
                await world.broker.settle(await anext(aiter(subscription)), Settlement.REJECT)
        async with running(DeadLetterRecorder(rabbitmq=world.client)):
            await world.until_settled(dead_letter_record_queue_name(work), 2)
        graph = await world.graph("T")
        assert nodes(graph, "dlq_record") == ["rejected"]
        assert edges(graph) == {("task:T", "dead_lettered_to", "dlq:T:1")}

    async def test_while_the_store_is_away_nothing_is_lost_and_nothing_doubled(
        self, world: RecordWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("relayna.consumer.fact_consumer._PAUSE_SECONDS", 0.01)
        work, count = world.topology.tasks_queue, 30
        for number in range(count):
            await world.client.publish_task("T", number)
        async with world.broker.consume(work, prefetch=1) as subscription:
            for _ in range(count):
                await world.broker.settle(await anext(aiter(subscription)), Settlement.REJECT)
        recorder = DeadLetterRecorder(
            rabbitmq=world.client, observation_sink=world.recorder(), prefetch=10, drain_seconds=0
        )
        world.log.unreachable = True
        async with running(recorder):
            await world.broker.until(lambda: world.counters["relayna_dead_letters_waits_total"] >= 2)
        world.log.unreachable = False
        async with running(DeadLetterRecorder(rabbitmq=world.client)):
            await world.until_settled(dead_letter_record_queue_name(work), count)
        assert len(nodes(await world.graph("T"), "dlq_record")) == count
        assert len(await world.left_in(dead_letter_queue_name(work))) == count
