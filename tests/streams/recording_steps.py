"""What the recorder's tests share: recorders that never wait in vain, and small events."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
from msgspec import Struct

from relayna.clock import FrozenClock
from relayna.events import Envelope, Event, StatusPublished, TaskResourceSampled
from relayna.ids import AttemptId, EventId, TaskId, Tenant, attempt_event_id
from relayna.instants import Instant
from relayna.mint import CountingMint
from relayna.streams.keys import TaskAddress
from relayna.streams.log import Log
from relayna.streams.recording.backoff import Backoff
from relayna.streams.recording.recorder import Recorder
from relayna.streams.replay import replay
from relayna.streams.sink import Durability

__all__ = [
    "ATTEMPT",
    "NOW",
    "CountedSignals",
    "ObservedClock",
    "event_ids",
    "make_recorder",
    "said",
    "sampled",
    "segments_in",
    "seqs",
    "status",
    "until",
    "until_stored",
]

NOW = Instant(1_767_225_600_000_000)
ATTEMPT = AttemptId("00000000000000aa")


class CountedSignals:
    """Counters that a test can look at: `signals["name{label=value}"]`."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def increment(self, name: str, by: int = 1, **labels: str) -> None:
        text = ",".join(f"{label}={value}" for label, value in sorted(labels.items()))
        self._counts[f"{name}{{{text}}}"] += by

    def __getitem__(self, name: str) -> int:
        return self._counts[name]


class ObservedClock(FrozenClock):
    """A frozen clock that a test can follow: who waits for it, and for how long."""

    def __init__(self) -> None:
        super().__init__()
        self._waits: list[float] = []
        self._changed = anyio.Event()

    async def sleep(self, seconds: float) -> None:
        self._waits.append(seconds)
        self._changed.set()
        self._changed = anyio.Event()
        await super().sleep(seconds)

    async def until_asked_for(self, seconds: float) -> None:
        """Return when somebody has begun to wait for so long; each wait is seen once."""
        with anyio.fail_after(10):
            while seconds not in self._waits:
                await self._changed.wait()
        self._waits.remove(seconds)


def make_recorder(log: Log, **arguments: Any) -> Recorder:
    """A recorder on a clock that stands still and with no pause between tries, unless asked otherwise."""
    given: dict[str, Any] = {
        "clock": FrozenClock(),
        "mint": CountingMint(),
        "backoff": Backoff(draw=lambda: 0.0, reconnect_seconds=0, probe_seconds=0),
        "close_deadline": 2.0,
        **arguments,
    }
    return Recorder(log, **given)


def said(body: Struct, *, task: str = "order", seq: int | None = None, **envelope: Any) -> Event:
    """An event of a task; with `seq`, of its one attempt."""
    if seq is not None:
        envelope = {
            "event_id": attempt_event_id(ATTEMPT, seq),
            "attempt_id": ATTEMPT,
            "seq": seq,
            **envelope,
        }
    given = {
        "event_id": EventId(f"{task}.{type(body).__name__}"),
        "timestamp": NOW,
        "task_id": TaskId(task),
        **envelope,
    }
    return Event(envelope=Envelope(**given), body=body)  # type: ignore[arg-type]


def sampled(seq: int, *, task: str = "order", **envelope: Any) -> Event:
    """An observation that may be shed."""
    return said(TaskResourceSampled(memory_rss_bytes=seq), task=task, seq=seq, **envelope)


def status(text: str, *, task: str = "order", **envelope: Any) -> Event:
    """A status, which must not be shed."""
    return said(StatusPublished(status=text), task=task, **{"event_id": f"{task}.{text}", **envelope})


def segments_in(directory: Path) -> list[str]:
    """What waits in a spool that others are draining meanwhile."""
    return [name for _, _, names in os.walk(directory) for name in names if name.endswith(".segment")]


async def event_ids(recorder: Recorder, task: str = "order") -> list[str]:
    """What the task's stream holds."""
    return [event.envelope.event_id for event in await recorder.read(TaskId(task))]


async def seqs(log: Log, task: str = "order", tenant: str = "default") -> list[int | None]:
    """The numbers of the task's events, in the log's order and as often as they are there."""
    [read] = await replay(log, [TaskAddress(TaskId(task), Tenant(tenant))])
    return [event.envelope.seq for event in read.events]


async def until(condition: Callable[[], bool]) -> None:
    """The disk's threads tell nobody here when they are done."""
    with anyio.fail_after(20):
        while not condition():
            await anyio.lowlevel.checkpoint()


async def until_stored(recorder: Recorder) -> None:
    """Return when all that was recorded is in the log."""
    with anyio.fail_after(20):
        while await recorder.durable(budget_seconds=1) is not Durability.STORED:
            await anyio.lowlevel.checkpoint()
