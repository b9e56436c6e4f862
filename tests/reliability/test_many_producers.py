"""T1 and T13: many processes, forked children and threads that record into the same streams."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from consumer.rabbitmq.worker_process import worker_process
from reliability.journal import read_journal
from reliability.oracle import stored_events
from reliability.producer_process import BEFORE, FAMILY, THREADS
from reliability.producing import judge_produced, task_ids
from reliability.report import ReliabilityReport
from reliability.sizes import sized
from reliability.store_server import StoreServer

from relayna.events import ChildRegistered
from relayna.ids import EventId
from relayna.streams import Log
from relayna.streams.redis.log import RedisLog

pytestmark = [pytest.mark.anyio, pytest.mark.fault]

WORKERS = 4
CHILDREN = 8
EVENTS_AN_ATTEMPT = 25
SCRIPT = Path(__file__).with_name("producer_process.py")


@sized(events=200_000, tasks=2_000)
async def test_workers_record_into_the_same_streams(
    events: int, tasks: int, tmp_path: Path, reliability: ReliabilityReport
) -> None:
    """T1: each event is in its task's stream, once, in its worker's order, and each graph is full."""
    each = events // tasks // WORKERS
    names = [f"worker-{number}" for number in range(WORKERS)]
    async with StoreServer(tmp_path / "store", appendfsync="everysec") as server, AsyncExitStack() as stack:
        workers = [
            await stack.enter_async_context(
                worker_process(server.url, str(tmp_path), name, str(tasks), str(each), script=SCRIPT)
            )
            for name in names
        ]
        for worker in workers:
            await worker.says("ready")
        for worker in workers:
            assert worker.process.stdin is not None
            await worker.process.stdin.send(b"go\n")
        for worker in workers:
            assert await worker.ends() == 0
        async with RedisLog(server.url) as log:
            findings = await judge_produced(log, [tmp_path / name for name in names])
    assert (findings.events, findings.tasks) == (events, tasks)
    assert findings.duplicated_in_log == 0
    reliability.add("T1 workers", findings)


@sized(events=5_000)
async def test_forked_children_record_in_threads(
    events: int, tmp_path: Path, reliability: ReliabilityReport
) -> None:
    """T13: children of a recorder in use, on streams that it writes to as well; each has a name of its own."""
    tasks = events // THREADS // EVENTS_AN_ATTEMPT
    async with StoreServer(tmp_path / "store", appendfsync="everysec") as server:
        arguments = (server.url, str(tmp_path), "fork", str(CHILDREN), str(tasks), str(EVENTS_AN_ATTEMPT))
        async with worker_process(*arguments, script=SCRIPT) as producer:
            assert await producer.ends() == 0
        journals = journals_in(tmp_path)
        async with RedisLog(server.url) as log:
            findings = await judge_produced(log, journals, beside=[FAMILY])
            names = await producers_by_process(log, journals)
            registered = Counter(
                (event.body.child_task_id, event.envelope.producer)
                for event in await stored_events(log, FAMILY)
                if isinstance(event.body, ChildRegistered)
            )
    assert len(journals) == (CHILDREN + 1) * THREADS + 1
    assert findings.events == (CHILDREN + 1) * events + CHILDREN * EVENTS_AN_ATTEMPT
    assert findings.duplicated_in_log == 0
    assert len(set(names.values())) == len(names) == CHILDREN + 1
    assert registered == Counter(
        [*itertools.product(task_ids(tasks), names.values()), (BEFORE, names["parent"])]
    )
    reliability.add("T13 forks and threads", findings)


def journals_in(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if path.is_file())


async def producers_by_process(log: Log, journals: Iterable[Path]) -> dict[str, str | None]:
    """By process, the one name that the events of all its journals have in the streams."""
    names: dict[str, set[str | None]] = {}
    for journal in journals:
        for task_id, intended in read_journal(journal).items():
            told = {event.envelope.event_id: event.envelope for event in await stored_events(log, task_id)}
            names.setdefault(journal.stem, set()).update(told[EventId(one)].producer for one in intended)
    assert {len(of_one) for of_one in names.values()} == {1}, names
    return {process: of_one.pop() for process, of_one in names.items()}
