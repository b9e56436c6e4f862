"""Producers that record small tasks from beginning to end while something is done to their store.

Owns what they record, the journal that says so, and the comparison of it with streams and graphs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio
from reliability.journal import Journal, read_journal
from reliability.oracle import stored_events, tasks_in_feeds
from reliability.report import Findings

from relayna.clock import SystemClock
from relayna.errors import ExecutionNotFound
from relayna.events import (
    Envelope,
    Event,
    EventsLost,
    StatusPublished,
    TaskMessageAcked,
    TaskMessageReceived,
    TaskResourceSampled,
)
from relayna.ids import EventId, TaskId, attempt_event_id
from relayna.mint import RandomMint
from relayna.observability import ExecutionGraphService
from relayna.streams import Log
from relayna.streams.recording import Backoff, Recorder
from relayna.streams.sink import Durability

__all__ = ["IMPATIENT", "RecordingLoad", "judge_recorded"]

IMPATIENT = Backoff(first_seconds=0.001, longest_seconds=0.05, reconnect_seconds=0.0, probe_seconds=0.05)
"""For tests of thousands of faults, each of which would cost a second."""

_PATIENCE_SECONDS = 600


class RecordingLoad:
    """A recorder, open while the context lasts, and as many tasks recorded on it as the test asks for."""

    def __init__(self, log: Log, journal: Path, *, name: str = "t", **recorder: Any) -> None:
        self.recorder = Recorder(log, **{"backoff": IMPATIENT, "close_deadline": 60.0, **recorder})
        self.tasks = 0
        """How many were begun."""
        self.answers: Counter[Durability] = Counter()
        """What `durable` said, as a worker asks before it settles a message."""
        self._name = name
        self._journal = Journal(journal)
        self._wanted = 0
        self._stopped = False
        self._clock = SystemClock()
        self._mint = RandomMint()
        self._changed = anyio.Event()

    async def __aenter__(self) -> Self:
        await self.recorder.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._journal:
            await self.recorder.__aexit__(kind, error, traceback)

    async def run(self) -> None:
        """Record one task after the other, whenever more are wanted."""
        while not self._stopped:
            if self.tasks == self._wanted:
                await self._changed.wait()
                continue
            events = self.task(f"{self._name}-{self.tasks}")
            self._journal.intend(events)
            for number, event in enumerate(events):
                self.recorder.record(event)
                if number % 3 == 0:
                    await anyio.lowlevel.checkpoint()
            self.answers[await self.recorder.durable()] += 1
            self.tasks += 1
            self._tell()

    async def run_abreast(self, tasks: int) -> None:
        """Record so many tasks at once: the first event of each, then the second of each…"""
        told = [self.task(f"{self._name}-{number}") for number in range(tasks)]
        for events in zip(*told, strict=True):
            self._journal.intend(events)
            for event in events:
                self.recorder.record(event)
            await self.all_stored()
        self.tasks += tasks

    def stop(self) -> None:
        """Begin no other task."""
        self._stopped = True
        self._tell()

    async def goes_on(self, tasks: int) -> None:
        """Have so many more tasks recorded, however the store does."""
        self._wanted += tasks
        self._tell()
        with anyio.fail_after(_PATIENCE_SECONDS):
            while self.tasks < self._wanted:
                await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def all_stored(self) -> None:
        """Return when nothing is left to be stored."""
        with anyio.fail_after(_PATIENCE_SECONDS):
            while await self.recorder.durable(budget_seconds=1) is Durability.PENDING:
                await anyio.lowlevel.checkpoint()

    def task(self, task_id: str) -> list[Event]:
        """What a worker tells of a task."""
        attempt_id = self._mint.attempt_id()
        bodies = [
            TaskMessageReceived(),
            *(TaskResourceSampled(memory_rss_bytes=number) for number in range(4)),
            TaskMessageAcked(),
        ]
        told = [
            self._said(
                task_id,
                body,
                event_id=attempt_event_id(attempt_id, seq),
                attempt_id=attempt_id,
                seq=seq,
            )
            for seq, body in enumerate(bodies)
        ]
        for status in ("processing", "completed"):
            body = StatusPublished(status=status)
            told.append(self._said(task_id, body, event_id=EventId(f"{attempt_id}.{status}")))
        return told

    def _said(self, task_id: str, body: Any, **envelope: Any) -> Event:
        return Event(
            envelope=Envelope(task_id=TaskId(task_id), timestamp=self._clock.now(), **envelope), body=body
        )


async def judge_recorded(log: Log, *journals: Path, **known: int) -> Findings:
    """What streams and graphs make of all that was intended; `known` are the other numbers of `Findings`."""
    intended = read_journal(*journals)
    found: Counter[str] = Counter()
    service = ExecutionGraphService(log=log)
    for task_id, wanted in intended.items():
        stored = Counter(
            event.envelope.event_id
            for event in await stored_events(log, task_id)
            if not isinstance(event.body, EventsLost)
        )
        lost = sum(event_id not in stored for event_id in wanted)
        found.update(
            events=stored.total(),
            lost=lost,
            duplicated_in_log=stored.total() - len(stored),
            unexpected=len(stored.keys() - set(wanted)),
        )
        found.update(await _in_the_graph(service, task_id, lost))
    found["unexpected"] += len(await tasks_in_feeds(log) - intended.keys())
    return Findings(tasks=len(intended), **{**known, **{name: found[name] for name in _JUDGED}})


_JUDGED = ("events", "lost", "duplicated_in_log", "duplicated_in_graph", "unexpected", "silent_partials")


async def _in_the_graph(service: ExecutionGraphService, task_id: str, lost: int) -> Mapping[str, int]:
    try:
        graph = await service.get_graph(task_id)
    except ExecutionNotFound:
        return {}
    kinds = Counter(node.kind for node in graph.nodes)
    is_full = graph.summary.graph_completeness == "full"
    return {
        "duplicated_in_graph": max(0, kinds["task_attempt"] - 1) + max(0, kinds["status_event"] - 2),
        "silent_partials": int(is_full and lost > 0),
    }
