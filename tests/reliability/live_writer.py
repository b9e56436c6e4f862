"""Tasks that go on step by step, each with a child. As a script it writes their steps.

Arguments: the store's URL, the prefix, how many tasks, how many appends in all, and how many a second (0: as many
as there can be). It says `ready` when the tasks have begun, waits for a line, and says `done` at the end. Step n of
a task is in its own stream when n is even, else in its child's.
"""

from __future__ import annotations

import sys

import anyio
import anyio.to_thread

from relayna.clock import SystemClock
from relayna.events import Body, ChildRegistered, Envelope, Event, StatusPublished, encode_event, encode_frame
from relayna.ids import EventId, TaskId
from relayna.instants import Instant
from relayna.streams import Append, Appended, Log, TaskAddress
from relayna.streams.redis import RedisLog

__all__ = ["child_of", "steps_of", "task_name"]

_CALLS_A_SECOND = 50
_APPENDS_A_CALL = 40
"""When there is no rate to keep."""


def task_name(number: int) -> str:
    """The number-th task."""
    return f"task-{number}"


def child_of(task_id: str) -> str:
    """Its one child."""
    return f"{task_id}.child"


def steps_of(task_id: str, steps: int) -> dict[str, list[str]]:
    """By stream, the labels that its statuses have after so many steps."""
    return {
        task_id: [f"step {step}" for step in range(0, steps, 2)],
        child_of(task_id): [f"step {step}" for step in range(1, steps, 2)],
    }


class _Writer:
    def __init__(self, log: Log) -> None:
        self._log = log
        self._clock = SystemClock()
        self._last = Instant(0)

    async def append(self, *facts: tuple[str, str, Body]) -> None:
        """Each fact: whose, its name, and what it says. No two have the same time."""
        appends = []
        for task_id, name, body in facts:
            self._last = max(self._clock.now(), Instant(self._last + 1))
            envelope = Envelope(
                event_id=EventId(f"{task_id}.{name}.status"), timestamp=self._last, task_id=TaskId(task_id)
            )
            frame = encode_frame(
                TaskId(task_id), None, 0, [encode_event(Event(envelope=envelope, body=body))]
            )
            appends.append(Append(TaskAddress(TaskId(task_id)), frame))
        for result in await self._log.append(appends):
            assert isinstance(result, Appended), result


async def _write(redis_url: str, prefix: str, tasks: int, appends: int, rate: int) -> None:
    names = [task_name(number) for number in range(tasks)]
    async with RedisLog(redis_url, prefix=prefix) as log:
        writer = _Writer(log)
        for name in names:
            await writer.append(
                (name, "child", ChildRegistered(child_task_id=TaskId(child_of(name)))),
                (name, "begun", StatusPublished(status="begun")),
                (child_of(name), "begun", StatusPublished(status="begun")),
            )
        print("ready")
        await anyio.to_thread.run_sync(sys.stdin.readline)
        began = anyio.current_time()
        a_call = max(1, rate // _CALLS_A_SECOND) if rate else _APPENDS_A_CALL
        for first in range(0, appends, a_call):
            if rate:
                await anyio.sleep(max(0.0, began + first / rate - anyio.current_time()))
            numbers = range(first, min(first + a_call, appends))
            await writer.append(*(_step(names, number) for number in numbers))
        seconds = anyio.current_time() - began
        for name in names:
            await writer.append((name, "completed", StatusPublished(status="completed")))
        print(f"done at {appends / seconds:.0f} appends a second.")


def _step(names: list[str], number: int) -> tuple[str, str, Body]:
    name, step = names[number % len(names)], number // len(names)
    return name if step % 2 == 0 else child_of(name), f"step-{step}", StatusPublished(status=f"step {step}")


if __name__ == "__main__":
    anyio.run(_write, *sys.argv[1:3], *map(int, sys.argv[3:]))
