"""Producers in processes of their own, as scripts.

producer_process.py URL DIRECTORY NAME TASKS EVENTS         says "ready", and at a line of input tells of each
                                                            task in so many events
producer_process.py URL DIRECTORY fork CHILDREN TASKS EVENTS
                                                            forks children from a recorder in use; they and it
                                                            have four threads each, and each thread tells of each
                                                            task in so many events

What they mean to record is in DIRECTORY, a journal for each that records at once.
"""

from __future__ import annotations

import asyncio
import functools
import os
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import anyio.to_thread
from reliability.journal import Journal
from reliability.producing import record_abreast, task_ids, tell_of

from relayna.streams.recording import Recorder
from relayna.streams.redis.log import RedisLog
from relayna.streams.sink import Durability

__all__ = ["BEFORE", "FAMILY", "THREADS"]

BEFORE = "before"
"""The task that the parent tells of while it forks."""
FAMILY = "family"
"""The parent of all tasks that forked producers tell of: its stream names their recorders."""
THREADS = 4

_ABREAST = 40
_PATIENCE_SECONDS = 120


async def _stored(recorder: Recorder) -> None:
    assert await recorder.durable(budget_seconds=_PATIENCE_SECONDS) is Durability.STORED


async def _work(url: str, directory: Path, name: str, tasks: int, events: int) -> None:
    async with Recorder(RedisLog(url)) as recorder:
        print("ready")
        await anyio.to_thread.run_sync(sys.stdin.readline)
        with Journal(directory / name) as journal:
            for first in range(0, tasks, _ABREAST):
                names = task_ids(tasks)[first : first + _ABREAST]
                told = [tell_of(task_id, events, producer=recorder.producer) for task_id in names]
                for row in zip(*told, strict=True):
                    record_abreast(recorder, journal, [[event] for event in row])
                    await anyio.lowlevel.checkpoint()
                await _stored(recorder)


async def _fork(url: str, directory: Path, children: int, tasks: int, events: int) -> None:
    recorder = Recorder(RedisLog(url))

    async def use(name: str) -> None:
        """Open it, here too, and record in four threads."""
        async with recorder:
            await _record_in_threads(recorder, directory / name, tasks, events)
            await _stored(recorder)

    # It forks before it has threads: no program can rely on the other order, and Python warns of it.
    async with recorder:
        forked: list[int] = []
        with Journal(directory / "parent.loop") as journal:
            for number in range(children):
                told = tell_of(BEFORE, events, producer=recorder.producer, parent=FAMILY)
                # Held when it forks; from the second child on, also under way to the store.
                record_abreast(recorder, journal, [told[:-1]])
                forked.append(_forked(functools.partial(use, f"child-{number}")))
                record_abreast(recorder, journal, [told[-1:]])
                await anyio.lowlevel.checkpoint()
        await use("parent")
        for child in forked:
            _, status = await anyio.to_thread.run_sync(os.waitpid, child, 0)
            assert os.waitstatus_to_exitcode(status) == 0


def _forked(work: Callable[[], Awaitable[None]]) -> int:
    """A child that does this in an event loop of its own, and ends there."""
    child = os.fork()
    if child:
        return child
    try:
        asyncio.run(work())  # type: ignore[arg-type]  # anyio.run would find the parent's loop in its context
        os._exit(0)
    except BaseException:  # noqa: BLE001 - nothing may leave it for the parent's frames
        traceback.print_exc()
        os._exit(1)


async def _record_in_threads(recorder: Recorder, journals: Path, tasks: int, events: int) -> None:
    def record(thread: int) -> None:
        with Journal(journals.with_suffix(f".{thread}")) as journal:
            told = [
                tell_of(task_id, events, producer=recorder.producer, parent=FAMILY)
                for task_id in task_ids(tasks)
            ]
            record_abreast(recorder, journal, told)

    async with anyio.create_task_group() as threads:
        for thread in range(THREADS):
            threads.start_soon(anyio.to_thread.run_sync, record, thread)


if __name__ == "__main__":
    url, directory, name, *numbers = sys.argv[1:]
    if name == "fork":
        anyio.run(_fork, url, Path(directory), *map(int, numbers))
    else:
        anyio.run(_work, url, Path(directory), name, *map(int, numbers))
