"""Streams that expire, are trimmed, or are begun anew by a straggler: the graph says which, always."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest
from reliability.report import Findings, ReliabilityReport
from reliability.sizes import sized
from servers import StoreUnderTest

from relayna.clock import FrozenClock
from relayna.errors import ExecutionNotFound
from relayna.events import Event, RecordedEvent, encode_event, encode_frame
from relayna.ids import TaskId
from relayna.observability import ExecutionGraphService
from relayna.streams import Append, TaskAddress
from relayna.streams.lifespan import tells_of
from relayna.streams.redis import RedisLog
from relayna.streams.redis.sealing import SealResult, seal_streams
from relayna.testing import history

pytestmark = [pytest.mark.anyio, pytest.mark.fault]

Expected: TypeAlias = set[str] | None
"""The reasons that the graph must give, none for a full one; None where there is no graph."""


def story(task_id: str, chance: random.Random) -> list[RecordedEvent]:
    """A task with up to three attempts, whole and ended."""
    task = history(task_id).published()
    attempt = task.attempt()
    for _ in range(chance.randint(0, 2)):
        attempt.status("working")
        attempt = attempt.fails().retried().attempt()
    attempt.status("nearly")
    if chance.random() < 0.5:
        attempt.relayed()
    return attempt.acked().events


class Keeper:
    """One store, and what time and operators do to its streams."""

    def __init__(self, store: StoreUnderTest, log: RedisLog, chance: random.Random) -> None:
        self.store, self.log, self.chance = store, log, chance
        self.faults = 0
        self.events = 0

    async def record(self, events: list[RecordedEvent]) -> None:
        self.events += len(events)
        appends = []
        for event in events:
            data = encode_event(Event(envelope=event.envelope, body=event.body))
            task_id = event.envelope.task_id
            frame = encode_frame(task_id, "shared_tasks_shared_status", 0, [data])
            appends.append(Append(TaskAddress(task_id), frame, tells_of(event.body)))
        await self.log.append(appends)

    def key(self, task_id: str) -> str:
        return self.log.keys.events(TaskAddress(TaskId(task_id)))

    def expire(self, task_id: str) -> None:
        self.faults += 1
        self.store.admin.pexpireat(self.key(task_id), 1)

    async def untouched(self, task_id: str) -> Expected:
        await self.record(story(task_id, self.chance))
        return set()

    async def sealed(self, task_id: str) -> Expected:
        await self.record(story(task_id, self.chance))
        [result] = await seal_streams(self.log, [TaskAddress(TaskId(task_id))], quiet_seconds=0)
        assert result is SealResult.SEALED
        return set()

    async def expired(self, task_id: str) -> Expected:
        await self.record(story(task_id, self.chance))
        self.expire(task_id)
        return None

    async def begun_anew_by_stragglers(self, task_id: str) -> Expected:
        events = story(task_id, self.chance)
        first_late = self.chance.randint(1, len(events) - 1)
        await self.record(events[:first_late])
        self.expire(task_id)
        await self.record(events[first_late:])
        return {"head_missing"}

    async def begun_anew_by_one_of_them(self, task_id: str) -> Expected:
        events = [event for event in story(task_id, self.chance)[1:] if event.envelope.seq is not None]
        await self.record(events)
        self.expire(task_id)
        await self.record([self.chance.choice(events)])
        return {"head_missing"}

    async def trimmed(self, task_id: str) -> Expected:
        events = story(task_id, self.chance)
        await self.record(events)
        self.faults += 1
        self.store.admin.xtrim(
            self.key(task_id), maxlen=self.chance.randint(1, len(events) - 1), approximate=False
        )
        return {"trimmed"}

    async def trimmed_and_gone_on(self, task_id: str) -> Expected:
        expected = await self.trimmed(task_id)
        await self.record(story(task_id, self.chance)[-1:])
        return expected

    async def expired_child(self, task_id: str) -> Expected:
        child = f"{task_id}.child"
        parent = history(task_id).published().attempt()
        spawned = parent.spawns(child)
        parent.acked()
        events = spawned.attempt().acked().events
        await self.record(events)
        self.expire(child)
        return {"child_expired"}


CASES: list[Callable[[Keeper, str], Awaitable[Expected]]] = [
    Keeper.untouched, Keeper.sealed, Keeper.expired, Keeper.begun_anew_by_stragglers,
    Keeper.begun_anew_by_one_of_them, Keeper.trimmed, Keeper.trimmed_and_gone_on, Keeper.expired_child,
]  # fmt: skip


@sized(tasks=500)
async def test_what_is_gone_is_said_to_be_gone(
    any_store: StoreUnderTest, reliability: ReliabilityReport, tasks: int
) -> None:
    chance = random.Random(27)
    print(f"seed 27, {tasks} tasks")
    found: Counter[str] = Counter()
    async with RedisLog(any_store.url, prefix=any_store.prefix, shard_count=8) as log:
        keeper = Keeper(any_store, log, chance)
        clock = FrozenClock()
        clock.advance(30 * 86_400)  # long after the histories, whose children have expired by then
        service = ExecutionGraphService(log=log, clock=clock)
        for number in range(tasks):
            case = CASES[number % len(CASES)]
            task_id = f"{number}-{case.__name__}"
            expected = await case(keeper, task_id)
            try:
                graph = await service.get_graph(task_id)
            except ExecutionNotFound:
                reasons: Expected = None
            else:
                reasons = set(graph.annotations.get("completeness", ()))
                found["silent_partials"] += bool(expected) and graph.summary.graph_completeness == "full"
            # What is left may prove more to be missing than the stream's own head.
            right = reasons is None if expected is None else reasons is not None and expected <= reasons
            if not right or (expected == set() and reasons):
                print(f"{task_id}: expected {expected}, found {reasons}")
                found["unexpected"] += 1

    reliability.add(
        "retention",
        Findings(
            tasks=tasks,
            events=keeper.events,
            faults=keeper.faults,
            unexpected=found["unexpected"],
            silent_partials=found["silent_partials"],
        ),
    )
