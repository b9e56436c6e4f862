"""What the status hub promises, on any broker."""

from __future__ import annotations

from collections import Counter

import pytest
from consumer.bench import nodes
from consumer.record_world import RecordWorld, running

from relayna.consumer import Settlement, StatusHub, TaskConsumer, TaskContext, TaskEnvelope
from relayna.events import StatusPublished
from relayna.topologies import dead_letter_queue_name

__all__ = ["StatusHubContract"]


class StatusHubContract:
    """Subclass it with a fixture `world`."""

    async def test_a_status_of_another_program_reaches_the_graph(self, world: RecordWorld) -> None:
        async with running(StatusHub(rabbitmq=world.client)):
            await world.send_status(
                {"task_id": "T", "status": "imported", "timestamp": 1_767_225_600, "meta": {"rows": 3}}
            )
            await world.until_settled(world.topology.status_queue, 1)
        [event] = await world.events("T")
        assert isinstance(event.body, StatusPublished)
        assert (event.body.status, event.body.meta) == ("imported", {"rows": 3})
        assert event.envelope.timestamp == 1_767_225_600_000_000
        assert nodes(await world.graph("T"), "status_event") == ["imported"]
        assert not await world.left_in(world.topology.status_queue)

    async def test_a_workers_own_statuses_stay_one_node_each(self, world: RecordWorld) -> None:
        async def work(task: TaskEnvelope, context: TaskContext) -> None:
            await context.publish_status("halfway", meta={"rows": 3})

        async with running(
            StatusHub(rabbitmq=world.client, observation_sink=world.recorder()),
            TaskConsumer(rabbitmq=world.client, handler=work),
        ):
            await world.client.publish_task("T")
            await world.client.publish_status("T", "noticed", message="from outside", meta={"by": "ada"})
            await world.until_settled(world.topology.status_queue, 4)
        stored = Counter(
            event.body.status
            for event in await world.events("T")
            if isinstance(event.body, StatusPublished) and event.envelope.attempt_id is None
        )
        assert stored.keys() == {"processing", "halfway", "completed", "noticed"}
        graph = await world.graph("T")
        assert sorted(nodes(graph, "status_event")) == ["completed", "halfway", "noticed", "processing"]
        assert "warnings" not in graph.annotations
        assert graph.summary.graph_completeness == "full"

    async def test_a_thousand_statuses_and_a_hub_that_is_started_again(self, world: RecordWorld) -> None:
        queue, tasks, statuses = world.topology.status_queue, 50, 20
        for number in range(tasks * statuses):
            status = {"task_id": f"T{number % tasks}", "status": f"step {number // tasks}"}
            await world.send_status(status)
        for settled in (1, 400):
            async with running(StatusHub(rabbitmq=world.client, prefetch=30, drain_seconds=0)):
                await world.until_settled(queue, settled)
        async with running(StatusHub(rabbitmq=world.client)):
            await world.until_settled(queue, tasks * statuses)
        for task in range(tasks):
            ids = Counter(event.envelope.event_id for event in await world.events(f"T{task}"))
            assert len(ids) == statuses
            graph = await world.graph(f"T{task}")
            assert len(nodes(graph, "status_event")) == statuses
        assert not await world.left_in(queue)

    async def test_while_the_store_is_away_nothing_is_acked_and_nothing_is_lost(
        self, world: RecordWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("relayna.consumer.fact_consumer._PAUSE_SECONDS", 0.01)
        queue = world.topology.status_queue
        hub = StatusHub(rabbitmq=world.client, observation_sink=world.recorder(), prefetch=10)
        async with running(hub):
            world.log.unreachable = True
            for number in range(40):
                await world.send_status({"task_id": "T", "status": f"step {number}"})
            await world.broker.until(lambda: world.counters["relayna_statuses_waits_total"] >= 3)
            assert not world.broker.settled
            world.log.unreachable = False
            await world.until_settled(queue, 40)
        assert len(nodes(await world.graph("T"), "status_event")) == 40
        assert {how for _, how in world.broker.settled} == {Settlement.ACK}

    async def test_a_hub_that_stops_while_the_store_is_away_leaves_them_in_the_queue(
        self, world: RecordWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("relayna.consumer.fact_consumer._PAUSE_SECONDS", 0.01)
        recorder = world.recorder()
        world.log.unreachable = True
        async with running(StatusHub(rabbitmq=world.client, observation_sink=recorder, drain_seconds=0)):
            await world.send_status({"task_id": "T", "status": "imported"})
            await world.broker.until(lambda: world.counters["relayna_statuses_waits_total"] >= 1)
        world.log.unreachable = False
        async with running(StatusHub(rabbitmq=world.client)):
            await world.until_settled(world.topology.status_queue, 1)
        assert nodes(await world.graph("T"), "status_event") == ["imported"]

    async def test_what_is_no_status_is_a_dead_letter_and_stops_nobody(self, world: RecordWorld) -> None:
        queue = world.topology.status_queue
        malformed = [
            b"",
            b"[1]",
            b"\xff\xfe",
            b"[" * 100_000,
            b'{"status": "imported"}',
            b'{"task_id": "", "status": "imported"}',
            b'{"task_id": "T", "status": ""}',
            b'{"task_id": "T", "status": null}',
            b'{"task_id": true, "status": "imported"}',
        ]
        async with running(StatusHub(rabbitmq=world.client)):
            for body in malformed:
                await world.send_status(body)
            await world.send_status({"task_id": "T", "status": "fine"})
            await world.until_settled(queue, 1)
            await world.until_settled(queue, len(malformed), Settlement.REJECT)
        assert world.counters["relayna_statuses_malformed_total"] == len(malformed)
        kept = await world.left_in(dead_letter_queue_name(queue))
        assert [letter.body for letter in kept] == malformed
        assert nodes(await world.graph("T"), "status_event") == ["fine"]
