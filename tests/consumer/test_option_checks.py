"""What users hand in by mistake is told where it was made, in words that help."""

from __future__ import annotations

from typing import Any

import pytest
from consumer.bench import SHARED, Bench

from relayna.consumer import (
    RelaynaClient,
    TaskConsumer,
    TaskContext,
    TaskEnvelope,
    TaskRequest,
    run_consumers,
)
from relayna.consumer.option_checks import check_handler, check_services, check_status
from relayna.errors import InvalidQuery, InvalidSetting
from relayna.observability import RedisObservationStore

pytestmark = pytest.mark.anyio


async def handle(task: TaskEnvelope, context: TaskContext) -> None:
    pass


STORE = RedisObservationStore("redis://localhost")


class Callable:
    def __call__(self, task: object, context: object) -> None: ...


@pytest.mark.parametrize("handler", [handle, Callable(), Callable().__call__, lambda *both: None, max])
async def test_what_takes_a_task_and_a_context_is_a_handler(handler: object) -> None:
    check_handler(handler)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"handler": None}, "None cannot be called"),
        ({"handler": lambda task: None}, r"does not take two arguments; it is called with \(task, context\)"),
        ({"handler": handle, "retry_policy": 3}, "3 is no RetryPolicy"),
        ({"handler": handle, "prefetch": 0}, "0 must be at least 1"),
        ({"handler": handle, "handler_timeout": 0}, "more than 0 seconds"),
        ({"handler": handle, "drain_seconds": -1}, "-1 must be at least 0"),
        ({"handler": handle, "prefetch": "10"}, "'10' is no whole number"),
        ({"handler": handle, "prefetch": 1.5}, "1.5 is no whole number"),
        ({"handler": handle, "prefetch": True}, "True is no whole number"),
        ({"handler": handle, "drain_seconds": "5"}, "'5' is no number"),
        ({"handler": handle, "drain_seconds": None}, "None is no number"),
        ({"handler": handle, "handler_timeout": "5"}, "'5' is no number"),
        ({"handler": handle, "observation_sink": STORE}, r"pass make_redis_observation_sink\(store\)"),
    ],
)
async def test_a_consumer_refuses_what_it_cannot_work_with(options: dict[str, Any], words: str) -> None:
    async with Bench() as bench:
        with pytest.raises(InvalidSetting, match=words):
            TaskConsumer(rabbitmq=bench.client, **options)


async def test_a_handler_that_was_called_by_mistake_is_named() -> None:
    async def resize(width: int, height: int) -> None: ...

    with pytest.raises(InvalidSetting, match=r"resize\(\) has been called; give resize itself"):
        check_handler(resize(1, 2))


async def test_a_store_is_no_sink() -> None:
    with pytest.raises(InvalidSetting, match="a RedisObservationStore records nothing"):
        RelaynaClient(topology=SHARED, observation_sink=STORE)  # type: ignore[arg-type]


async def test_nobody_to_run_is_a_mistake() -> None:
    with pytest.raises(InvalidSetting, match="give at least one"):
        await run_consumers()


def resizer() -> TaskConsumer: ...


@pytest.mark.parametrize(
    ("service", "words"),
    [(resizer, r"resizer is a function; give what it makes: resizer\(…\)"), (7, "7 is no consumer")],
)
async def test_what_cannot_run_is_refused(service: Any, words: str) -> None:
    with pytest.raises(InvalidSetting, match=words):
        check_services([service])
    with pytest.raises(InvalidSetting, match=words):
        await run_consumers(service)


@pytest.mark.parametrize("tasks", [[TaskRequest(task_id="a"), {"task_id": "b"}], ["a", "b"]])
async def test_what_is_published_at_once_are_task_requests(tasks: Any) -> None:
    position = 0 if tasks[0] == "a" else 1
    kind = type(tasks[position]).__name__
    async with Bench() as bench:
        for publish in (bench.client.publish_tasks, bench.client.publish_batch):
            with pytest.raises(InvalidQuery, match=rf"position {position} holds a {kind}; give TaskRequest"):
                await publish(tasks)
        assert await bench.messages("work") == []


@pytest.mark.parametrize("task_id", [7, None, b"order", "", "\ud800"])
async def test_a_task_id_is_text(task_id: Any) -> None:
    with pytest.raises(InvalidQuery, match="task_id"):
        TaskRequest(task_id=task_id)
    async with Bench() as bench:
        with pytest.raises(InvalidQuery, match="task_id"):
            await bench.client.publish_task(task_id)
        with pytest.raises(InvalidQuery, match="task_id"):
            await bench.client.publish_status(task_id, "done")


@pytest.mark.parametrize("status", [5, None, ""])
async def test_a_status_is_text(status: Any) -> None:
    with pytest.raises(InvalidQuery, match="status"):
        check_status(status)
    async with Bench() as bench:
        with pytest.raises(InvalidQuery, match="status"):
            await bench.client.publish_status("order", status)
