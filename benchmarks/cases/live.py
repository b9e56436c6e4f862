"""Live: from an append to 500 clients of `relayna serve`, which follow 100 tasks over TCP.

Each task takes an event a second, its turns spread evenly; one half comes through a recorder, timed from `record()`,
the other from an append of its own. The limit beside is what one bare XREAD BLOCK of the same streams takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from time import perf_counter
from typing import Any, Final, TypeAlias, cast

from msgspec import Struct
from redis.asyncio import Redis

from benchmarks.case import Bench, Case
from benchmarks.figures import Figure, percentile
from benchmarks.live_service import Follower, LiveService, followed_by, live_service, step_of, told_step
from benchmarks.targets import LIVE_CONNECTIONS, LIVE_MEDIAN, LIVE_SLOWEST
from relayna.events import Envelope, Event, TaskLifecycleStatusPublished, encode_event, encode_frame
from relayna.ids import EventId, TaskId
from relayna.instants import Instant
from relayna.streams import Append, Recorder, TaskAddress
from relayna.streams.redis.log import RedisLog

__all__ = ["LIVE"]

_TASKS: Final = 100
_CLIENTS: Final = 500
_EVENTS_A_SECOND: Final = 100
_STREAMS_A_CONNECTION: Final = 64
_LONGEST_WAIT: Final = 5.0
_BATCHED: Final = "an event waits up to 20 ms for others of its batch"
_START: Final = 1_767_225_600_000_000


_Told: TypeAlias = tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]
"""A stream's key and its new entries: each with its id and its fields."""


class _Round(Struct):
    """What one round found; milliseconds each, by how the event came in."""

    recorded: list[float]
    appended: list[float]
    burst: list[float]
    plain: list[float]
    waiting: int
    connections: int
    processor_ms: float
    """Of the service, for each message that a client got."""


def _run(bench: Bench) -> Iterator[Figure]:
    load = _Load(bench)
    rounds = asyncio.run(load.measure())
    for name, told, target in (("p50", 50, LIVE_MEDIAN), ("p99", 99, LIVE_SLOWEST)):
        plain = f"{name}, append to a bare XREAD BLOCK"
        appended = [percentile(one.appended, told) for one in rounds]
        yield Figure(
            name=f"{name}, append to client", unit="ms", samples=appended, target=target, beside=plain
        )
        recorded = [percentile(one.recorded, told) for one in rounds]
        yield Figure(name=f"{name}, record() to client", unit="ms", samples=recorded, note=_BATCHED)
        yield Figure(name=plain, unit="ms", samples=[percentile(one.plain, told) for one in rounds])
    burst = [max(one.burst) for one in rounds]
    yield Figure(name=f"an event for each of {_TASKS} tasks at once, last client", unit="ms", samples=burst)
    groups = -(-_TASKS // _STREAMS_A_CONNECTION)
    waiting = [one.waiting / groups for one in rounds]
    yield Figure(
        name=f"connections that wait, for {_STREAMS_A_CONNECTION} tasks",
        unit="",
        samples=waiting,
        target=LIVE_CONNECTIONS,
    )
    yield Figure(
        name="connections of the service, all", unit="", samples=[float(one.connections) for one in rounds]
    )
    yield Figure(name="service, processor", unit="ms/message", samples=[one.processor_ms for one in rounds])
    for unit, sample in (("s", load.seconds_to_come), ("MB", load.megabytes)):
        name = f"{_CLIENTS} clients come, and have their snapshots"
        yield Figure(name=f"{name}, {unit}", unit=unit, samples=[sample], note="once in a run")


class _Load:
    """The tasks, the clients and the events that come in."""

    def __init__(self, bench: Bench) -> None:
        self._url = bench.store_url
        self._prefix = bench.fresh_prefix()
        self._rounds = bench.rounds
        self._events_a_round = 60 if bench.quick else 350
        self._task_ids = [f"order/2026/{number:06d}" for number in range(_TASKS)]
        self._followers = [Follower(number % _TASKS) for number in range(_CLIENTS)]
        self.seconds_to_come = 0.0
        self.megabytes = 0.0
        """What the service grows by for its clients."""
        self._sent: dict[int, float] = {}
        self._read: dict[int, float] = {}
        self._log = RedisLog(self._url, prefix=self._prefix)
        self._recorder = Recorder(self._log)
        self._reader = Redis.from_url(self._url)
        self._places = {
            self._log.keys.events(TaskAddress(TaskId(one))).encode(): b"0-0" for one in self._task_ids
        }

    async def measure(self) -> list[_Round]:
        """All rounds; and, by the way, what it takes until all clients are there."""
        async with (
            self._log,
            self._recorder,
            self._reader,
            live_service(self._url, self._prefix) as service,
        ):
            await self._append(range(_TASKS))
            began, before = perf_counter(), service.megabytes()
            async with followed_by(service, self._followers, self._task_ids):
                self.seconds_to_come = perf_counter() - began
                self.megabytes = service.megabytes() - before
                await self._round(service)  # what is made when it is first needed
                return [await self._round(service) for _ in range(self._rounds)]

    async def _round(self, service: LiveService) -> _Round:
        """An even load, then an event for every task at once."""
        processor = service.processor_seconds()
        even = range(len(self._sent), len(self._sent) + self._events_a_round)
        waiting = connections = 0
        async with asyncio.TaskGroup() as tasks:
            reader = tasks.create_task(self._read_plainly(even))
            begun = perf_counter()
            for number in even:
                await asyncio.sleep(begun + (number - even[0]) / _EVENTS_A_SECOND - perf_counter())
                if number % 2:
                    self._sent[number] = perf_counter()
                    self._recorder.record(self._event(number))
                else:
                    await self._append([number])
                if number % 20 == 0:
                    all_there_are, blocked = await asyncio.to_thread(service.connections)
                    waiting, connections = max(waiting, blocked), max(connections, all_there_are)
            await reader
        at_once = range(even[-1] + 1, even[-1] + 1 + _TASKS)
        await self._until_told(even)
        await self._append(at_once)
        await self._until_told(at_once)
        messages = (len(even) + len(at_once)) * _CLIENTS / _TASKS
        return _Round(
            recorded=self._taken(number for number in even if number % 2),
            appended=self._taken(number for number in even if not number % 2),
            burst=self._taken(at_once),
            plain=[(self._read[number] - self._sent[number]) * 1000 for number in even if not number % 2],
            waiting=waiting,
            connections=connections,
            processor_ms=(service.processor_seconds() - processor) * 1000 / messages,
        )

    async def _append(self, numbers: Iterable[int]) -> None:
        """One event each, each a frame of its own, in one request."""
        appends = []
        for number in numbers:
            task_id = TaskId(self._task_of(number))
            frame = encode_frame(task_id, None, 0, [encode_event(self._event(number))])
            appends.append(Append(TaskAddress(task_id), frame))
            self._sent[number] = perf_counter()
        await self._log.append(appends)

    def _event(self, number: int) -> Event:
        envelope = Envelope(
            event_id=EventId(f"step.{number}"),
            timestamp=Instant(_START + number * 10_000),
            task_id=TaskId(self._task_of(number)),
        )
        return Event(envelope=envelope, body=TaskLifecycleStatusPublished(status=told_step(number)))

    def _task_of(self, number: int) -> str:
        return self._task_ids[number % _TASKS]

    async def _read_plainly(self, numbers: range) -> None:
        """Notes when the store tells somebody who does nothing else but wait of each of these."""
        while not all(number in self._read for number in numbers):
            async with asyncio.timeout(_LONGEST_WAIT):
                told = await self._reader.xread(cast("Any", self._places), block=round(_LONGEST_WAIT * 1000))
            now = perf_counter()
            for key, entries in cast("list[_Told]", told):
                self._places[key] = entries[-1][0]
                for _, fields in entries:
                    self._read.setdefault(step_of(fields[b"f"]), now)

    async def _until_told(self, numbers: Iterable[int]) -> None:
        """Every client of their tasks knows of them."""
        async with asyncio.timeout(_LONGEST_WAIT):
            for number in numbers:
                for follower in self._followers_of(number):
                    await follower.until_told(number)

    def _followers_of(self, number: int) -> list[Follower]:
        return self._followers[number % _TASKS :: _TASKS]

    def _taken(self, numbers: Iterable[int]) -> list[float]:
        """Milliseconds to every client."""
        return [
            (follower.told[number] - self._sent[number]) * 1000
            for number in numbers
            for follower in self._followers_of(number)
        ]


LIVE: Final = Case(
    "live",
    "`relayna serve` in a process of its own: 100 tasks take an event a second each, 500 clients follow them over TCP.",
    _run,
)
