"""What the tests of read models stand on: a log with read models beside it, histories in it, and what was made of them."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import astuple, replace
from projections.random_histories import random_history

from relayna.clock import Clock, FrozenClock, SystemClock
from relayna.events import Event, RecordedEvent, encode_event, encode_frame
from relayna.ids import TaskId, Tenant
from relayna.instants import Instant
from relayna.observability.read_models import ExecutionLists, Indexer, ReadModelProgress, read_models_beside
from relayna.observability.read_models.rows import summary_in
from relayna.observability.read_models.sources import run_records_beside
from relayna.observability.run_records.known_runs import KnownRuns
from relayna.projections.task_summary import TaskSummary
from relayna.streams import Append, Appended, Log, MemoryLog, TaskAddress
from relayna.streams.memory_read_models import MemoryReadModels
from relayna.streams.read_models import CountKey, IndexPage, ReadModels
from relayna.testing.scribe import START

__all__ = [
    "DEFAULT", "World", "contents", "memory_world", "renamed_history", "server_world", "store_events", "tasks_of",
]  # fmt: skip

DEFAULT = Tenant("default")


class World(Struct):
    """An open log and its read models."""

    log: Log
    models: ReadModels
    clock: Clock

    def indexer(self, **options: Any) -> Indexer:
        return Indexer(log=self.log, read_models=self.models, clock=self.clock, **options)

    def progress(self) -> ReadModelProgress:
        return ReadModelProgress(log=self.log, read_models=self.models, clock=self.clock, held_seconds=0)

    def lists(self, tenant: Tenant = DEFAULT) -> ExecutionLists:
        return ExecutionLists(read_models=self.models, progress=self.progress(), tenant=tenant)

    def runs(self, tenant: Tenant = DEFAULT) -> KnownRuns | None:
        records = run_records_beside(self.log, self.models)
        return None if records is None else KnownRuns(records, tenant=tenant)

    async def summary(self, task_id: str) -> TaskSummary | None:
        (row,) = await self.models.rows([TaskAddress(TaskId(task_id))])
        return None if row is None else summary_in(row)


def memory_world(*, shard_count: int = 4, start: Instant = START, **options: Any) -> World:
    """In memory, with a clock that stands still."""
    clock = FrozenClock(start)
    log = MemoryLog(shard_count=shard_count, clock=clock, **options)
    return World(log, MemoryReadModels(log, clock=clock), clock)


def server_world(log: Log) -> World:
    """On a server, by its own clock; the log is entered by the test."""
    return World(log, read_models_beside(log), SystemClock())


def tasks_of(events: Iterable[RecordedEvent]) -> list[str]:
    """The tasks that these events are of."""
    return sorted({event.envelope.task_id for event in events})


async def store_events(
    log: Log,
    events: Iterable[RecordedEvent],
    *,
    chance: random.Random | None = None,
    between: Callable[[], Awaitable[object]] | None = None,
    tenant: Tenant = DEFAULT,
) -> None:
    """Append these events, a frame each; with `chance` some of them twice. `between` is awaited now and then."""
    for number, event in enumerate(events):
        task_id = event.envelope.task_id
        data = encode_event(Event(envelope=event.envelope, body=event.body))
        frame = encode_frame(task_id, "shared_tasks_shared_status", event.first_append_ms or 0, [data])
        times = 2 if chance is not None and chance.random() < 0.2 else 1
        results = await log.append([Append(TaskAddress(task_id, tenant), frame)] * times)
        assert all(isinstance(result, Appended) for result in results)
        if between is not None and number % 7 == 0:
            await between()


def renamed_history(seed: int) -> list[RecordedEvent]:
    """A random family whose tasks no other seed's have the names of."""
    return [_renamed(event, f"{seed}-") for event in random_history(seed)]


def _renamed(event: RecordedEvent, beginning: str) -> RecordedEvent:
    envelope = event.envelope
    parent = envelope.parent_task_id
    envelope = replace(
        envelope,
        task_id=TaskId(beginning + envelope.task_id),
        parent_task_id=None if parent is None else TaskId(beginning + parent),
    )
    body = event.body
    child = getattr(body, "child_task_id", None)
    if child is not None:
        body = replace(body, child_task_id=TaskId(beginning + child))  # type: ignore[type-var]
    return replace(event, envelope=envelope, body=body)


async def contents(world: World, task_ids: Sequence[str]) -> tuple[Any, ...]:
    """All that the read models say, such that two of them can be compared: rows, index and counts."""
    addresses = [TaskAddress(TaskId(task_id)) for task_id in sorted(task_ids)]
    rows = await world.models.rows(addresses)
    terms = {(term.name, term.value) for row in rows if row is not None for term in row.terms}
    index = {}
    for name, value in sorted(terms):
        wanted = IndexPage(tenant=DEFAULT, name=name, value=value, limit=10_000)
        index[name, value] = await world.models.page(wanted)
    days = range(START // 86_400_000_000 - 3, START // 86_400_000_000 + 4)
    counts = await world.models.counts(DEFAULT, days)
    return (
        [None if row is None else (row.address, row.data, row.terms, dict(row.counts)) for row in rows],
        index,
        {_plain(key): count for key, count in counts.items() if count},
    )


def _plain(key: CountKey) -> tuple[Any, ...]:
    return astuple(key)
