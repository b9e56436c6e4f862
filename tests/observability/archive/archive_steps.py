"""What the tests of archives stand on: histories in a store, and a store that forgets them."""

from __future__ import annotations

from collections.abc import Iterable

from servers import StoreUnderTest

from relayna.events import Event, RecordedEvent, encode_event, encode_frame
from relayna.ids import TaskId
from relayna.observability import ExecutionGraphService, encode_graph
from relayna.streams import Append, Log, TaskAddress
from relayna.streams.redis import RedisLog

__all__ = ["forget", "graphs_of", "log_on", "record_history", "task"]


def log_on(store: StoreUnderTest) -> RedisLog:
    return RedisLog(store.url, prefix=store.prefix, shard_count=4)


def task(task_id: str) -> TaskAddress:
    return TaskAddress(TaskId(task_id))


async def record_history(log: Log, events: Iterable[RecordedEvent]) -> list[TaskId]:
    """Store these events, one a frame; the tasks that they are of."""
    tasks: dict[TaskId, None] = {}
    for number, event in enumerate(events):
        task_id = event.envelope.task_id
        tasks[task_id] = None
        data = encode_event(Event(envelope=event.envelope, body=event.body))
        frame = encode_frame(task_id, "shared_tasks_shared_status", number, [data])
        await log.append([Append(TaskAddress(task_id), frame)])
    return list(tasks)


async def graphs_of(log: Log, tasks: Iterable[TaskId]) -> list[bytes]:
    """Each task's graph, as JSON."""
    service = ExecutionGraphService(log=log)
    return [encode_graph(await service.get_graph(task_id)) for task_id in tasks]


def forget(store: StoreUnderTest) -> None:
    """Take everything under the prefix away, but the number of its shards."""
    keys = [key for key in store.all_keys() if not key.endswith(":shards")]
    if keys:
        store.admin.unlink(*keys)
