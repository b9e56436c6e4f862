"""Measures what tasks and run records take in a store's memory: the figures of docs/operations.md.

    python -m tools.measure_memory

Starts the bundled Valkey, records tasks of 1, 3 and 10 attempts, one frame an event, which is the most that
they can take, and seals them. Then 100,000 runs in sessions of 50, of which nothing is kept but their records.
"""

from __future__ import annotations

import anyio

from benchmarks.sessions import stored_runs, tree
from relayna.events import Event, encode_event, encode_frame
from relayna.ids import TaskId
from relayna.streams import Append, TaskAddress
from relayna.streams.embedded import EmbeddedServer, bundled_binary
from relayna.streams.redis import RedisLog
from relayna.streams.redis.run_records import RedisRunRecords
from relayna.streams.redis.sealing import seal_streams
from relayna.testing import history

TASKS = 4_000
AT_ONCE = 100
SESSIONS = 2_000
RUNS_A_SESSION = 50


async def measure(url: str, attempts: int) -> None:
    """Print one row."""
    async with RedisLog(url, prefix=f"attempts-{attempts}") as log:
        before = await used_memory(log)
        tasks = [TaskAddress(TaskId(f"order-{number:08}")) for number in range(TASKS)]
        events = 0
        for start in range(0, TASKS, AT_ONCE):
            frames = [frames_of(task, attempts) for task in tasks[start : start + AT_ONCE]]
            events = len(frames[0])
            for step in zip(*frames, strict=True):
                await log.append(step)
        live = await used_memory(log)
        for start in range(0, TASKS, AT_ONCE):
            await seal_streams(log, tasks[start : start + AT_ONCE], quiet_seconds=0)
        sealed = await used_memory(log)
    print(f"{attempts:>8} {events:>6} {(live - before) / TASKS:>10.0f} {(sealed - before) / TASKS:>10.0f}")


def frames_of(task: TaskAddress, attempts: int) -> list[Append]:
    """The task's whole history, one frame an event."""
    attempt = history(task.task_id).published().attempt()
    for _ in range(attempts - 1):
        attempt = attempt.fails("TimeoutError", "no answer in 5 s").retried().attempt()
    encoded = [
        encode_event(Event(envelope=event.envelope, body=event.body)) for event in attempt.acked().events
    ]
    kind = "shared_tasks_shared_status"
    return [Append(task, encode_frame(task.task_id, kind, 1_767_225_600_000, [data])) for data in encoded]


async def measure_runs(url: str, abreast: int) -> None:
    """Print one row: runs that ask for so many others each."""
    async with RedisLog(url, prefix=f"runs-{abreast}") as log:
        before = await used_memory(log)
        records = RedisRunRecords(log)
        for first in range(0, SESSIONS, AT_ONCE):
            seeds = range(first, first + AT_ONCE)
            runs = [run for seed in seeds for run in tree(RUNS_A_SESSION, abreast=abreast, seed=seed)]
            await records.restore(stored_runs(runs))
        taken = await used_memory(log) - before
    print(f"{abreast:>8} {SESSIONS * RUNS_A_SESSION:>7,} {taken / SESSIONS / RUNS_A_SESSION:>10.1f}")


async def used_memory(log: RedisLog) -> int:
    """Bytes in use by the whole server."""
    [client] = (await log.store.servers()).values()
    info = await client.ask("INFO", "memory")
    lines = info.decode().splitlines() if isinstance(info, bytes) else []
    return next(int(line.partition(":")[2]) for line in lines if line.startswith("used_memory:"))


def main() -> None:
    """Print the table."""
    print(f"{'attempts':>8} {'events':>6} {'live':>10} {'sealed':>10}  bytes a task, feeds included")
    with EmbeddedServer(binary=bundled_binary()) as server:
        for attempts in (1, 3, 10):
            anyio.run(measure, server.url, attempts)
        print(f"{'abreast':>8} {'runs':>7} {'bytes':>10}  an edge, of runs with one edge each")
        for abreast in (3, 49):
            anyio.run(measure_runs, server.url, abreast)


if __name__ == "__main__":
    main()
