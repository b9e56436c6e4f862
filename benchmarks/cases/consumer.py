"""What recording costs a worker: messages through the memory broker, recording on against off."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from time import perf_counter, process_time
from typing import Final

import anyio
from msgspec import Struct

from benchmarks.case import Bench, Case
from benchmarks.figures import Figure
from benchmarks.targets import CONSUMER_OVERHEAD, CONSUMER_SHARE
from benchmarks.workloads import TASK_QUEUE, WORKLOADS
from relayna.consumer import MemoryBroker, RelaynaClient, TaskConsumer, TaskContext, TaskEnvelope
from relayna.consumer.task import TaskHandler
from relayna.streams import MemoryLog, Recorder
from relayna.streams.redis.log import RedisLog

__all__ = ["CONSUMER"]

_PREFETCH: Final = 50


async def _nothing(task: TaskEnvelope, context: TaskContext) -> None:
    """An empty handler."""


async def _waits(task: TaskEnvelope, context: TaskContext) -> None:
    """A handler that waits for 1 ms, so that 50 of them ask for 50,000 messages a second: the event loop is full."""
    await anyio.sleep(0.001)


async def _computes(task: TaskEnvelope, context: TaskContext) -> None:
    """A handler that computes for 1 ms."""
    start = process_time()
    while process_time() - start < 0.001:
        pass


_HANDLERS: Final[dict[str, tuple[TaskHandler, int]]] = {
    "an empty handler": (_nothing, 1_500),
    "a handler that waits for 1 ms": (_waits, 750),
    "a handler that computes for 1 ms": (_computes, 300),
}
"""With how many messages each is measured."""
_OFF: Final = "off"
_MEMORY: Final = "into memory"
_STORE: Final = "into the store"


def _run(bench: Bench) -> Iterator[Figure]:
    for name, (handler, messages) in _HANDLERS.items():
        count = messages // 6 if bench.quick else messages
        yield from _measured(bench, name, handler, count)


def _measured(bench: Bench, name: str, handler: TaskHandler, messages: int) -> Iterator[Figure]:
    takes: dict[str, list[_Taken]] = {_OFF: [], _MEMORY: [], _STORE: []}
    for number in range(bench.rounds + 1):
        recorders = {_OFF: None, _MEMORY: Recorder(MemoryLog()), _STORE: _into_store(bench)}
        for recording, recorder in recorders.items():
            taken = anyio.run(_consume, handler, messages, recorder)
            if number:  # the first round warms up
                takes[recording].append(taken)
    for recording, rounds in takes.items():
        wall, cpu = [one.wall for one in rounds], [one.cpu for one in rounds]
        yield Figure(name=f"{name}, recording {recording}", unit="µs/message", samples=wall)
        yield Figure(name=f"{name}, recording {recording}, processor time", unit="µs/message", samples=cpu)
    for recording in (_MEMORY, _STORE):
        yield _overhead(name, recording, takes[_OFF], takes[recording], is_empty=handler is _nothing)


def _overhead(name: str, recording: str, off: list[_Taken], on: list[_Taken], *, is_empty: bool) -> Figure:
    pairs = list(zip(on, off, strict=True))
    is_target = recording == _STORE
    title = f"{name}, recording {recording}, overhead"
    if is_empty:
        added = [one.wall - other.wall for one, other in pairs]
        target = CONSUMER_OVERHEAD if is_target else None
        return Figure(name=title, unit="µs/message", samples=added, target=target, signed=True)
    share = [(one.wall / other.wall - 1) * 100 for one, other in pairs]
    return Figure(
        name=title, unit="%", samples=share, target=CONSUMER_SHARE if is_target else None, signed=True
    )


def _into_store(bench: Bench) -> Recorder:
    return Recorder(RedisLog(bench.store_url, prefix=bench.fresh_prefix()))


class _Taken(Struct, frozen=True):
    """µs a message, from the consumer's start until every message is settled."""

    wall: float
    cpu: float


async def _consume(handler: TaskHandler, messages: int, recorder: Recorder | None) -> _Taken:
    broker = MemoryBroker()
    async with RelaynaClient(topology=WORKLOADS[0].topology, broker=broker) as client:
        for number in range(messages):
            await client.publish_task(f"order/{number}", {"number": number})
        consumer = TaskConsumer(
            rabbitmq=client, handler=handler, observation_sink=recorder, prefetch=_PREFETCH
        )
        gc.collect()
        async with anyio.create_task_group() as tasks:
            wall, cpu = perf_counter(), process_time()
            await tasks.start(consumer.run)
            await broker.wait_until_empty(TASK_QUEUE)
            taken = _Taken((perf_counter() - wall) / messages * 1e6, (process_time() - cpu) / messages * 1e6)
            consumer.stop()
    return taken


CONSUMER: Final = Case(
    "consumer",
    "A message through a consumer on the memory broker, prefetch 50, durable before ack, two statuses a message.",
    _run,
)
