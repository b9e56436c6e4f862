"""What users hand in by mistake is told where it was made, in words that help."""

from __future__ import annotations

from typing import Any

import pytest
from consumer.bench import Bench

from relayna.consumer import TaskConsumer, TaskContext, TaskEnvelope, TaskRequest
from relayna.consumer.option_checks import check_handler, check_status
from relayna.errors import InvalidQuery, InvalidSetting

pytestmark = pytest.mark.anyio


async def handle(task: TaskEnvelope, context: TaskContext) -> None:
    pass


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
    ],
)
async def test_a_consumer_refuses_what_it_cannot_work_with(options: dict[str, Any], words: str) -> None:
    async with Bench() as bench:
        with pytest.raises(InvalidSetting, match=words):
            TaskConsumer(rabbitmq=bench.client, **options)


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
