"""Publishing from outside any attempt."""

from __future__ import annotations

from typing import Any

import pytest
from consumer.bench import SHARED, Bench, nodes

from relayna.clock import FrozenClock
from relayna.consumer import RelaynaClient, TaskConsumer
from relayna.consumer.messages.envelopes import StatusEnvelope, TaskEnvelope, read_body
from relayna.errors import ConfigurationMismatch, InvalidQuery, OutcomeUnknown
from relayna.topologies import Declarations, Queue

pytestmark = pytest.mark.anyio

START_MS = FrozenClock().now() // 1000


async def test_a_task_is_published_and_told() -> None:
    async with Bench() as bench:
        message_id = await bench.client.publish_task(
            "order",
            {"total": 7},
            task_type="pay",
            correlation_id="c",
            parent_task_id="cart",
            session_id="s",
            priority=4,
            headers={"traceparent": "00-a", "x-relayna-cause": "forged"},
        )
        [message] = await bench.messages("work")
        assert message.headers == {
            "traceparent": "00-a",
            "x-relayna-cause": f"{message_id}.published",
            "x-relayna-task-id": "order",
            "x-relayna-session-id": "s",
            "x-relayna-parent-task-id": "cart",
            "x-relayna-message-id": message_id,
            "x-relayna-published-at": START_MS,
        }
        assert (message.message_id, message.correlation_id, message.priority) == (message_id, "c", 4)
        assert read_body(message.body, TaskEnvelope) == TaskEnvelope(
            task_id="order",
            payload={"total": 7},
            task_type="pay",
            correlation_id="c",
            parent_task_id="cart",
            session_id="s",
        )
        [event] = await bench.events("order")
        assert event.envelope.event_id == f"{message_id}.published"
        assert event.envelope.attempt_id is None
        assert await bench.told("cart") == ["ChildRegistered"]
        [root] = [node for node in (await bench.graph("order")).nodes if node.kind == "task"]
        assert root.annotations["state"] == "queued"


async def test_a_status_from_outside() -> None:
    async with Bench() as bench:
        await bench.client.publish_status("order", "cancelled", message="by hand", meta={"by": "ada"})
        [message] = await bench.messages("statuses.all")
        status = read_body(message.body, StatusEnvelope)
        assert (status.status, status.message, status.meta) == ("cancelled", "by hand", {"by": "ada"})
        assert (await bench.graph("order")).summary.status == "cancelled"


@pytest.mark.parametrize(
    ("publish", "parameter"),
    [
        (lambda client: client.publish_task(""), "task_id"),
        (lambda client: client.publish_status("", "done"), "task_id"),
        (lambda client: client.publish_status("order", ""), "status"),
        (lambda client: client.publish_to_stage("cut", "order"), "topology"),
        (lambda client: client.publish_to_entry("shop", "order"), "topology"),
    ],
)
async def test_what_makes_no_sense_is_refused(publish: Any, parameter: str) -> None:
    async with Bench() as bench:
        with pytest.raises(InvalidQuery) as caught:
            await publish(bench.client)
        assert caught.value.parameter == parameter


async def test_a_payload_that_json_cannot_hold_is_neither_sent_nor_told() -> None:
    async with Bench() as bench:
        with pytest.raises(TypeError):
            await bench.client.publish_task("order", object())
        assert bench.broker.depth("work") == 0
        assert await bench.told("order") == []


async def test_what_was_not_confirmed_is_not_told() -> None:
    async with Bench() as bench:
        bench.broker.lose_confirms()
        with pytest.raises(OutcomeUnknown):
            await bench.client.publish_task("order")
        assert await bench.told("order") == []


async def test_without_a_sink_nothing_is_told_and_no_cause_is_named() -> None:
    async with Bench(sink=lambda recorder: None) as bench:
        await bench.client.publish_task("order")
        [message] = await bench.messages("work")
        assert "x-relayna-cause" not in message.headers
        assert message.headers["x-relayna-task-id"] == "order"
        assert await bench.told("order") == []


async def test_a_client_that_cannot_declare_closes_what_it_opened() -> None:
    async with Bench() as bench:
        other = Bench()
        async with other.broker:
            await other.broker.declare(Declarations(queues=(Queue(name="work"),)))
        with pytest.raises(ConfigurationMismatch):
            async with other.client:
                pytest.fail("the topology cannot be declared")
        async with other.broker:
            pass
        assert bench.broker.depth("work") == 0


async def test_counters_that_count_nothing_yet_are_still_the_ones_that_were_given() -> None:
    bench = Bench()
    client = RelaynaClient(topology=SHARED, broker=bench.broker, counters=bench.counters)
    assert client.counters is bench.counters


async def test_a_task_that_nobody_took_is_queued_and_then_runs() -> None:
    async def handle(task: TaskEnvelope, context: Any) -> None:
        pass

    async with Bench() as bench:
        await bench.client.publish_task("order")
        bench.clock.advance(5.000_5)
        consumer = TaskConsumer(rabbitmq=bench.client, handler=handle)
        async with bench.working(consumer):
            await bench.settled()
        graph = await bench.graph("order")
        [attempt] = [node for node in graph.nodes if node.kind == "task_attempt"]
        assert attempt.annotations["queue_wait_ms"] == 5_000
        assert nodes(graph, "status_event") == ["processing", "completed"]
