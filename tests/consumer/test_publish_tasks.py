"""Many tasks at once, and publishing again what may or may not have arrived."""

from __future__ import annotations

from typing import Any

import pytest
from consumer.bench import Bench, attempts
from msgspec.structs import replace

from relayna.consumer import MemoryBroker, TaskConsumer, TaskEnvelope, TaskRequest, TasksNotPublished
from relayna.errors import InvalidQuery, OutcomeUnknown, Unroutable

pytestmark = pytest.mark.anyio


def requests(count: int) -> list[TaskRequest]:
    return [TaskRequest(task_id=f"order-{number}", payload={"number": number}) for number in range(count)]


async def nothing(task: TaskEnvelope, context: Any) -> None:
    pass


async def test_all_are_confirmed_and_told_and_named_in_the_order_given() -> None:
    async with Bench() as bench:
        message_ids = await bench.client.publish_tasks(requests(200))
        messages = await bench.messages("work")
        told = {message.headers["x-relayna-task-id"]: message.message_id for message in messages}
        assert [told[f"order-{number}"] for number in range(200)] == message_ids
        assert await bench.told("order-199") == ["TaskPublished"]


async def test_none_is_nothing() -> None:
    async with Bench() as bench:
        assert await bench.client.publish_tasks([]) == []


async def test_those_that_failed_are_named_and_can_be_published_again() -> None:
    async with Bench() as bench:
        bench.broker.lose_confirms(2)
        wanted = requests(5)
        with pytest.raises(TasksNotPublished) as caught:
            await bench.client.publish_tasks(wanted)
        error = caught.value
        assert sorted(error.failures) == [0, 1]
        assert all(isinstance(failure, OutcomeUnknown) for failure in error.failures.values())
        assert str(error).startswith("2 of 5 tasks")
        again = [replace(wanted[n], message_id=error.message_ids[n]) for n in error.failures]
        assert await bench.client.publish_tasks(again) == [error.message_ids[n] for n in error.failures]
        async with bench.working(TaskConsumer(rabbitmq=bench.client, handler=nothing)):
            await bench.settled()
        for number in range(5):
            assert attempts(await bench.graph(f"order-{number}")) == [("acked", "succeeded")]


class _Picky(MemoryBroker):
    """Has no queue for one of the tasks."""

    async def publish(self, message: Any, **options: Any) -> None:
        if message.headers["x-relayna-task-id"] == "order-1":
            raise Unroutable(options["exchange"], options["routing_key"])
        await super().publish(message, **options)


async def test_a_failure_keeps_no_neighbour_from_being_published() -> None:
    async with Bench(broker=lambda clock: _Picky(clock=clock)) as bench:
        with pytest.raises(TasksNotPublished, match="position 1: No queue is bound") as caught:
            await bench.client.publish_tasks(requests(3))
        assert list(caught.value.failures) == [1]
        assert bench.broker.depth("work") == 2
        assert await bench.told("order-1") == []


async def test_when_one_makes_no_sense_nothing_is_sent() -> None:
    async with Bench() as bench:
        with pytest.raises(TypeError):
            await bench.client.publish_tasks([*requests(2), TaskRequest(task_id="odd", payload=object())])
        assert bench.broker.depth("work") == 0
    with pytest.raises(InvalidQuery, match="task_id"):
        TaskRequest(task_id="")


async def test_a_publish_whose_outcome_is_unknown_is_answered_by_publishing_again() -> None:
    handled: list[str] = []

    async def handle(task: TaskEnvelope, context: Any) -> None:
        handled.append(task.task_id)

    async with Bench() as bench:
        bench.broker.lose_confirms()
        with pytest.raises(OutcomeUnknown) as caught:
            await bench.client.publish_task("order", {"total": 7})
        message_id = caught.value.message_id
        assert message_id is not None
        assert f"message_id={message_id!r}" in str(caught.value)
        assert await bench.client.publish_task("order", {"total": 7}, message_id=message_id) == message_id
        assert bench.broker.depth("work") == 2
        async with bench.working(TaskConsumer(rabbitmq=bench.client, handler=handle)):
            await bench.settled()
        assert handled == ["order"]
        [attempt] = [node for node in (await bench.graph("order")).nodes if node.kind == "task_attempt"]
        assert attempt.annotations["outcome"] == "acked"


async def test_only_a_message_with_an_id_of_the_callers_is_marked_as_a_repeat() -> None:
    async with Bench() as bench:
        await bench.client.publish_task("first")
        await bench.client.publish_task("again", message_id="m-1")
        first, again = await bench.messages("work")
        assert "x-relayna-repeated" not in first.headers
        assert again.headers["x-relayna-repeated"] is True
        assert again.headers["x-relayna-message-id"] == again.message_id == "m-1"
