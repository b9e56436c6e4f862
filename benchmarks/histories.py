"""Histories to measure with: recorded by the real consumers, on the memory broker, into frames.

Owns recording them and bringing them to size: the first n events are what was known at that moment, and a
long history is a recorded one that happens again and again, later each time and under ids of its own.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, Final

import anyio
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from benchmarks.workloads import STATUS_QUEUE, TASK_ID, Workload
from relayna.consumer import MemoryBroker, RelaynaClient
from relayna.events import Event, RecordedEvent, decode_frame, encode_event, encode_frame
from relayna.events.history import StreamFact
from relayna.ids import AttemptId, MessageId, StreamId, TaskId
from relayna.instants import Instant
from relayna.projections.projection import Item
from relayna.streams import Append, Appended, AppendResult, MemoryLog, Recorder, TaskAddress
from relayna.topologies import (
    dead_letter_queue_name,
    dead_letter_record_queue_name,
    declarations,
    topology_kind,
)

__all__ = ["History", "SeededMint", "SteppingClock", "record_history"]

_BATCH: Final = 20
_RECORDED_EVENTS: Final = 10_000
_HEX_DIGITS: Final = "0123456789abcdef"
_SHORTEST_MINTED: Final = 16
_MINTED: Final = re.compile(rf"[0-9a-f]{{{_SHORTEST_MINTED},}}")
"""Ids of attempts, messages and children, wherever they stand in a frame."""
_START: Final = 1_767_225_600_000_000


class StoredFrame(Struct, frozen=True, gc=False):
    """One entry of one task's stream."""

    append: Append
    stream_id: StreamId

    def events(self) -> list[RecordedEvent]:
        """Its events, decoded anew: no two histories share their text."""
        task_id = self.append.address.task_id
        return decode_frame(self.append.payload, task_id=task_id, stream_id=self.stream_id).events


class History(Struct, frozen=True):
    """What consumers recorded of one task and its children, in the order in which it was stored."""

    root: TaskId
    topology_kind: str
    frames: Sequence[StoredFrame]

    def first_events(self, count: int) -> list[Item]:
        """What a fold is given of the first so many events, with the fact that names the topology."""
        events: list[Item] = [StreamFact(task_id=self.root, name="topology_kind", value=self.topology_kind)]
        for frame in self.frames:
            events += frame.events()
            if len(events) > count:
                break
        return events[: count + 1]

    def first_appends(self, count: int) -> list[Append]:
        """As many frames as hold the first so many events, the last one perhaps a few more."""
        return [frame.append for frame in _until(self.frames, count)]


class SteppingClock:
    """Each look finds it some milliseconds later: a run of seconds tells a history of an hour."""

    def __init__(self) -> None:
        self._random = random.Random(17)
        self._now = _START

    def now(self) -> Instant:
        """A little later than before."""
        self._now += self._random.randrange(1_000, 20_000)
        return Instant(self._now)

    async def sleep(self, seconds: float) -> None:
        """Return at once, that much later."""
        self._now += round(seconds * 1_000_000)
        await anyio.lowlevel.checkpoint()


class SeededMint:
    """Ids that look random and are the same in every run."""

    def __init__(self) -> None:
        self._random = random.Random(17)

    def attempt_id(self) -> AttemptId:
        """64 bits."""
        return AttemptId(self._random.randbytes(8).hex())

    def message_id(self) -> MessageId:
        """128 bits."""
        return MessageId(self._random.randbytes(16).hex())

    def producer(self) -> str:
        """32 bits."""
        return self._random.randbytes(4).hex()


def record_history(workload: Workload, events: int) -> History:
    """Run the workload until so many events are stored, or enough to be repeated until there are as many."""
    recorded = anyio.run(_record, workload, min(events, _RECORDED_EVENTS))
    times = [event.envelope.timestamp for frame in recorded.frames for event in frame.events()]
    span = max(times) - min(times) + 1_000_000
    frames = list(recorded.frames)
    for turn in range(1, math.ceil(events / len(times))):
        frames += (
            _again(frame, recorded.topology_kind, turn, later=turn * span) for frame in recorded.frames
        )
    return History(recorded.root, recorded.topology_kind, frames)


def _again(frame: StoredFrame, kind: str, turn: int, *, later: int) -> StoredFrame:
    """The same frame as another run would have told it, so many microseconds later."""
    address = frame.append.address
    told = [
        Event(envelope=replace(one.envelope, timestamp=one.envelope.timestamp + later), body=one.body)
        for one in frame.events()
    ]
    payload = encode_frame(address.task_id, kind, None, [encode_event(one) for one in told])
    payload = msgspec.msgpack.encode(_renamed(msgspec.msgpack.decode(payload), turn))
    task_id = TaskId(_renamed(address.task_id, turn))
    milliseconds, _, counter = frame.stream_id.partition("-")
    stream_id = StreamId(f"{int(milliseconds) + later // 1000}-{counter}")
    return StoredFrame(Append(TaskAddress(task_id, address.tenant), payload), stream_id)


def _renamed(value: Any, turn: int) -> Any:  # Any: what MessagePack holds
    """The same with other minted ids, each of them always the same other one."""
    match value:
        case str():
            if len(value) < _SHORTEST_MINTED:
                return value
            return _MINTED.sub(lambda found: found[0].translate(_digits(turn)), value)
        case list():
            return [_renamed(item, turn) for item in value]
        case dict():
            return {name: _renamed(item, turn) for name, item in value.items()}
        case _:
            return value


@cache
def _digits(turn: int) -> dict[int, int]:
    return str.maketrans(_HEX_DIGITS, _HEX_DIGITS[turn:] + _HEX_DIGITS[:turn])


class _KeepingLog(MemoryLog):
    """Remembers the order of all appends, whichever streams they go to."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[StoredFrame] = []

    async def append(self, appends: Sequence[Append]) -> list[AppendResult]:
        results = await super().append(appends)
        stored = zip(appends, results, strict=True)
        self.frames += (StoredFrame(one, at.stream_id) for one, at in stored if isinstance(at, Appended))
        return results


class _StoredEvents:
    """Counts what the recorder says is stored."""

    def __init__(self) -> None:
        self.count = 0

    def increment(self, name: str, by: int = 1, **labels: str) -> None:
        if labels.get("outcome") == "stored":
            self.count += by


async def _record(workload: Workload, events: int) -> History:
    log, stored = _KeepingLog(), _StoredEvents()
    mint, clock = SeededMint(), SteppingClock()
    recorder = Recorder(log, mint=mint, counters=stored)
    broker = MemoryBroker()
    client = RelaynaClient(
        topology=workload.topology, broker=broker, observation_sink=recorder, clock=clock, mint=mint
    )
    async with client, _at_work(workload, client):
        published = 0
        while stored.count < events:
            for number in range(published, published + _BATCH):
                await workload.publish(client, number)
            published += _BATCH
            await broker.idle(resting=_resting(workload))
            await recorder.durable()
    return History(TaskId(TASK_ID), topology_kind(workload.topology), log.frames)


@asynccontextmanager
async def _at_work(workload: Workload, client: RelaynaClient) -> AsyncIterator[None]:
    consumers = workload.consumers(client)
    async with anyio.create_task_group() as tasks:
        for consumer in consumers:
            await tasks.start(consumer.run)
        yield
        for consumer in consumers:
            consumer.stop()


def _resting(workload: Workload) -> set[str]:
    """Queues that nobody takes from."""
    queues = [queue.name for queue in declarations(workload.topology).queues]
    letters = (*map(dead_letter_queue_name, queues), *map(dead_letter_record_queue_name, queues))
    return {STATUS_QUEUE, *letters}


def _until(frames: Iterable[StoredFrame], count: int) -> Iterator[StoredFrame]:
    for frame in frames:
        if count <= 0:
            return
        count -= len(frame.events())
        yield frame
