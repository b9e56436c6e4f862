"""What attempts say of their inputs and outputs, while it is switched on, and that no handler feels it."""

from __future__ import annotations

import functools
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from consumer.bench import QUICK, Bench
from consumer.test_workflow_consumer import WORKFLOW

from relayna.consumer import (
    RelaynaClient,
    TaskConsumer,
    TaskContext,
    TaskEnvelope,
    TaskRequest,
    WorkflowConsumer,
    WorkflowContext,
    WorkflowEnvelope,
)
from relayna.consumer.attempts.message_contents import handler_name
from relayna.events import MessageInputRecorded, MessageOutputRecorded, TaskMessageReceived
from relayna.events.content_hash import content_hash
from relayna.storage import LocalDirectoryStorage, PayloadStorage
from relayna.storage.payload_errors import PayloadStorageFailed

pytestmark = pytest.mark.anyio

WORKED = "43258cff783fe7036d8a43033f830adfc60ec037382473548ac742b888292777"


@pytest.fixture(autouse=True)
def emitting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYNA_LINEAGE_EMIT", "1")


class Broken:
    """A storage that does what it was told to do instead of storing."""

    def __init__(self, do: Callable[[], Awaitable[str]]) -> None:
        self.do = do

    async def put(self, data: bytes) -> str:
        return await self.do()

    async def get(self, key: str) -> bytes:
        raise NotImplementedError


async def contents(
    bench: Bench,
    handler: Any,
    payload: Any = None,
    *,
    retries: int = 0,
    storage: PayloadStorage | None = None,
) -> list[Any]:
    """What is recorded of one task's contents, after it was worked off."""
    bench.client.storage = storage
    consumer = TaskConsumer(rabbitmq=bench.client, handler=handler, retry_policy=QUICK)
    publish = functools.partial(bench.client.publish_task, "order", payload)
    await bench.work_off(consumer, publish=publish, retries=retries)
    return contents_of([event.body for event in await bench.events("order")])


def contents_of(bodies: list[Any]) -> list[Any]:
    return [body for body in bodies if isinstance(body, MessageInputRecorded | MessageOutputRecorded)]


async def price(task: TaskEnvelope, context: TaskContext) -> dict[str, int]:
    return {"b": 2, "a": 1}


async def test_input_and_output_are_hashed_and_the_input_is_stored(tmp_path: Path) -> None:
    storage = LocalDirectoryStorage(tmp_path)
    async with Bench() as bench:
        given, returned = await contents(bench, price, {"a": 1, "b": 2}, storage=storage)
        [received] = [
            one.body for one in await bench.events("order") if isinstance(one.body, TaskMessageReceived)
        ]
        events = await bench.events("order")
    assert (given.input_hash, given.handler, given.queue_name) == (WORKED, "price", "work")
    assert (given.exchange, given.routing_key, given.message_id) == ("tasks", "task", received.message_id)
    assert (returned.output_hash, returned.message_id) == (WORKED, received.message_id)
    body = await storage.get(given.storage_key)
    assert len(body) == given.payload_bytes
    assert b'"task_id":"order"' in body
    order = [type(event.body).__name__ for event in events]
    assert (
        order.index("MessageInputRecorded")
        < order.index("MessageOutputRecorded")
        < order.index("TaskMessageAcked")
    )


async def test_nothing_is_said_or_stored_while_it_is_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RELAYNA_LINEAGE_EMIT")
    async with Bench() as bench:
        assert await contents(bench, price, storage=LocalDirectoryStorage(tmp_path)) == []
    assert os.listdir(tmp_path) == []


async def test_every_attempt_says_what_it_was_given_and_the_same_is_stored_once(tmp_path: Path) -> None:
    async def fails_once(task: TaskEnvelope, context: TaskContext) -> None:
        if context.retry_attempt == 0:
            raise KeyError("id")

    async with Bench() as bench:
        first, second = await contents(
            bench, fails_once, 7, retries=1, storage=LocalDirectoryStorage(tmp_path)
        )
    assert first.storage_key == second.storage_key
    assert first.input_hash == second.input_hash == content_hash(7)


@pytest.mark.parametrize("returned", [None, object(), {1, 2}, float("nan")])
async def test_what_is_neither_bytes_nor_json_is_no_output(returned: object) -> None:
    async def handler(task: TaskEnvelope, context: TaskContext) -> object:
        return returned

    async with Bench() as bench:
        [given] = await contents(bench, handler)
        assert not bench.counters
    assert isinstance(given, MessageInputRecorded)


async def test_a_plain_function_is_known_by_its_name_and_its_bytes_are_hashed() -> None:
    def draw(task: TaskEnvelope, context: TaskContext) -> bytes:
        return b"\x89PNG"

    async with Bench() as bench:
        given, returned = await contents(bench, draw)
    assert (given.handler, given.storage_key) == ("draw", None)
    assert returned.output_hash == content_hash(b"\x89PNG")


async def refuse() -> str:
    raise PayloadStorageFailed("s3://bucket", "no credentials")


async def blow_up() -> str:
    raise ZeroDivisionError


@pytest.mark.parametrize("do", [refuse, blow_up])
async def test_a_storage_that_fails_is_counted_and_never_felt(do: Callable[[], Awaitable[str]]) -> None:
    async with Bench() as bench:
        given, _ = await contents(bench, price, storage=Broken(do))
        assert "TaskMessageAcked" in await bench.told("order")
        assert bench.counters == {"relayna_message_contents_failed_total": 1}
    assert given.storage_key is None


async def test_a_storage_that_takes_too_long_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relayna.consumer.attempts.message_contents._STORING_SECONDS", 0)
    async with Bench() as bench:
        given, _ = await contents(bench, price, storage=Broken(anyio.sleep_forever))
        assert bench.counters == {"relayna_message_contents_failed_total": 1}
    assert given.storage_key is None


async def test_a_return_value_that_cannot_be_read_is_counted_and_never_felt() -> None:
    class Hostile(dict[str, int]):
        def items(self) -> Any:
            raise RuntimeError("keep out")

    async def handler(task: TaskEnvelope, context: TaskContext) -> Hostile:
        return Hostile(a=1)

    async with Bench() as bench:
        await contents(bench, handler)
        assert "TaskMessageAcked" in await bench.told("order")
        assert bench.counters == {"relayna_message_contents_failed_total": 1}


async def test_tasks_of_a_batch_say_which() -> None:
    async with Bench() as bench:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=price)
        tasks = [TaskRequest(task_id=f"photo-{number}", payload=number) for number in range(3)]
        publish = functools.partial(bench.client.publish_batch, tasks, batch_id="holiday")
        await bench.work_off(consumer, publish=publish)
        told = [contents_of([one.body for one in await bench.events(task.task_id)])[0] for task in tasks]
    assert {given.batch_id for given in told} == {"holiday"}
    assert [given.input_hash for given in told] == [content_hash(number) for number in range(3)]


async def test_stages_say_which() -> None:
    async def charge(message: WorkflowEnvelope, context: WorkflowContext) -> str:
        return "paid"

    async with Bench(WORKFLOW) as bench:
        stage = WORKFLOW.stages[0].name
        consumer = WorkflowConsumer(rabbitmq=bench.client, stage=stage, handler=charge)
        publish = functools.partial(bench.client.publish_to_stage, stage, "order", {"b": 2, "a": 1})
        await bench.work_off(consumer, publish=publish)
        given, returned = contents_of([event.body for event in await bench.events("order")])
    assert (given.stage, returned.stage, given.input_hash) == (stage, stage, WORKED)


def test_handlers_are_known_by_their_own_names() -> None:
    class Charge:
        def __call__(self) -> None: ...

        def method(self) -> None: ...

    @functools.wraps(Charge())
    def wrapper() -> None: ...

    names = [
        handler_name(one) for one in (price, Charge(), Charge().method, functools.partial(price), wrapper)
    ]
    assert names == ["price", "Charge", "method", "price", "Charge"]


def test_whatever_a_handler_says_of_itself_it_has_a_name() -> None:
    class Everything:
        def __getattr__(self, name: str) -> Everything:
            return self

    class Nothing:
        def __getattribute__(self, name: str) -> object:
            raise OSError(name)

    assert "Everything" in handler_name(Everything())
    assert handler_name(Nothing()) == "Nothing"


def test_a_client_without_a_storage_has_none() -> None:
    assert RelaynaClient(topology=WORKFLOW).storage is None
