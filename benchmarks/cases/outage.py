"""What an outage of the store costs those who record: a store that is dead from start to end, and a frozen one.

The dead one refuses connections; a worker on it is set beside one whose store is up. The frozen one is a server
that was stopped by a signal in mid-use: it takes what is sent to it and never answers.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter, perf_counter_ns
from typing import Final

import anyio

from benchmarks.case import Bench, Case, store_binary
from benchmarks.figures import Figure, percentile
from benchmarks.targets import DURABLE_BUDGET, OUTAGE_BESIDE_UP, RECORD_MEDIAN, RECORD_SLOWEST
from benchmarks.workloads import TASK_QUEUE, WORKLOADS
from relayna.consumer import MemoryBroker, RelaynaClient, TaskConsumer, TaskContext, TaskEnvelope
from relayna.events import Event, RecordedEvent
from relayna.streams import Recorder
from relayna.streams.embedded import EmbeddedServer
from relayna.streams.redis.log import RedisLog
from relayna.streams.spool.spool import Spool

__all__ = ["OUTAGE"]

_PREFETCH: Final = 50
_EVENTS: Final = 8_000  # within the recorder's bound of 10,000
_AT_ONCE: Final = 100
_BUDGET_SECONDS: Final = 0.25
_TIMER: Final = "a timer of the same length, longest"
_WAITS: Final = 4
"""One after the other; a single one in quick runs."""


def _run(bench: Bench) -> Iterator[Figure]:
    yield from _dead(bench)
    yield from _frozen(bench)


def _dead(bench: Bench) -> Iterator[Figure]:
    messages = 300 if bench.quick else 3_000
    rates: dict[str, list[float]] = {"up": [], "dead, with a spool": [], "dead, without one": []}
    with _nobody_there() as url, tempfile.TemporaryDirectory() as directory:
        for number in range(bench.rounds + 1):
            # Nothing is waited for at the end of the dead ones: that comes after the last task and is not measured.
            recorders = {
                "up": Recorder(RedisLog(bench.store_url, prefix=bench.fresh_prefix())),
                "dead, with a spool": Recorder(
                    RedisLog(url), spool=Spool(f"{directory}/{number}"), close_deadline=0
                ),
                "dead, without one": Recorder(RedisLog(url), close_deadline=0),
            }
            for name, recorder in recorders.items():
                rate = messages / anyio.run(_consume, messages, recorder)
                if number:  # the first round warms up
                    rates[name].append(rate)
    for name, samples in rates.items():
        yield Figure(name=f"worker, store {name}", unit="tasks/s", samples=samples)
        if name != "up":
            ratios = [without / beside for without, beside in zip(samples, rates["up"], strict=True)]
            target = OUTAGE_BESIDE_UP if "with a" in name else None
            told = f"worker, {name}, beside up"
            yield Figure(name=told, unit="x", samples=ratios, target=target, beside="worker, store up")


@contextmanager
def _nobody_there() -> Iterator[str]:
    """The URL of a port that is taken, so that it stays dead, and refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"redis://127.0.0.1:{taken.getsockname()[1]}/0"


async def _nothing(task: TaskEnvelope, context: TaskContext) -> None:
    """An empty handler."""


async def _consume(messages: int, recorder: Recorder) -> float:
    """Seconds from the consumer's start, the opening of the recorder included, until every message is settled."""
    broker = MemoryBroker()
    async with RelaynaClient(topology=WORKLOADS[0].topology, broker=broker) as client:
        for number in range(messages):
            await client.publish_task(f"order/{number}", {"number": number})
        consumer = TaskConsumer(
            rabbitmq=client, handler=_nothing, observation_sink=recorder, prefetch=_PREFETCH
        )
        gc.collect()
        async with anyio.create_task_group() as tasks:
            start = perf_counter()
            await tasks.start(consumer.run)
            await broker.wait_until_empty(TASK_QUEUE)
            taken = perf_counter() - start
            consumer.stop()
    return taken


def _frozen(bench: Bench) -> Iterator[Figure]:
    items = bench.history(WORKLOADS[0], _EVENTS).first_events(_EVENTS)
    events = [Event(envelope=one.envelope, body=one.body) for one in items if isinstance(one, RecordedEvent)]
    calls: list[list[float]] = []
    longest: list[float] = []
    plain: list[float] = []
    waits_each = 1 if bench.quick else _WAITS
    with EmbeddedServer(binary=store_binary()) as server:
        for _ in range(bench.rounds):
            log = RedisLog(server.url, prefix=bench.fresh_prefix())
            taken, waits, peers = anyio.run(_while_frozen, server, Recorder(log), events, waits_each)
            calls.append(taken)
            longest.append(max(waits))
            plain.append(max(peers))
    name = "store frozen"
    medians = [percentile(of_round, 50) for of_round in calls]
    slowest = [percentile(of_round, 99) for of_round in calls]
    yield Figure(name=f"record, p50, {name}", unit="µs/call", samples=medians, target=RECORD_MEDIAN)
    yield Figure(name=f"record, p99, {name}", unit="µs/call", samples=slowest, target=RECORD_SLOWEST)
    yield Figure(
        name=f"durable, longest wait, {name}",
        unit="ms",
        samples=longest,
        target=DURABLE_BUDGET,
        beside=_TIMER,
        note=f"budget {_BUDGET_SECONDS * 1000:.0f} ms, {_PREFETCH} wait at once",
    )
    yield Figure(name=_TIMER, unit="ms", samples=plain)


async def _while_frozen(
    server: EmbeddedServer, recorder: Recorder, events: Sequence[Event], waits_each: int
) -> tuple[list[float], list[float], list[float]]:
    """Microseconds of every `record`; milliseconds of every `durable`, and of timers that are set beside."""
    waits: list[float] = []
    plain: list[float] = []

    async def wait(event: Event) -> None:
        for _ in range(waits_each):
            recorder.record(event)
            start = perf_counter()
            await recorder.durable(budget_seconds=_BUDGET_SECONDS)
            waits.append((perf_counter() - start) * 1000)

    async def wait_for_nothing() -> None:
        for _ in range(waits_each):
            start = perf_counter()
            with anyio.move_on_after(_BUDGET_SECONDS):
                await anyio.sleep_forever()
            plain.append((perf_counter() - start) * 1000)

    async with recorder:
        recorder.record(events[0])
        await recorder.durable(budget_seconds=60)  # it is in use when the store freezes
        with _stopped(server):
            taken = await _timed_calls(recorder, events)
            async with anyio.create_task_group() as workers:
                for event in events[:_PREFETCH]:
                    workers.start_soon(wait, event)
                    workers.start_soon(wait_for_nothing)
    return taken, waits, plain


@contextmanager
def _stopped(server: EmbeddedServer) -> Iterator[None]:
    if server.pid is None:
        raise RuntimeError("The server is not running.")
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


async def _timed_calls(recorder: Recorder, events: Sequence[Event]) -> list[float]:
    """The flusher gets its turns in between, as between handlers."""
    taken: list[float] = []
    for start in range(0, len(events), _AT_ONCE):
        for event in events[start : start + _AT_ONCE]:
            begun = perf_counter_ns()
            recorder.record(event)
            taken.append((perf_counter_ns() - begun) / 1000)
        await anyio.sleep(0.001)
    return taken


OUTAGE: Final = Case(
    "outage",
    "A worker (memory broker, empty handler, prefetch 50) without a store; `record` and `durable` with a frozen one.",
    _run,
)
