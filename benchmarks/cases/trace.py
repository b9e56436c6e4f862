"""Traces: a session analysed, from recorded spans and from attempts alone; and what a span costs its handler."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Final

import anyio

from benchmarks.case import Bench, Case
from benchmarks.figures import Figure, growth_exponent
from benchmarks.targets import SESSION_ANALYSED
from benchmarks.workloads import TASK_QUEUE, WORKLOADS
from relayna.consumer import MemoryBroker, RelaynaClient, TaskConsumer, TaskContext, TaskEnvelope
from relayna.events import (
    Body,
    Envelope,
    OutputRecorded,
    RecordedEvent,
    SpanEnded,
    TaskMessageAcked,
    TaskMessageReceived,
    TaskPublished,
)
from relayna.ids import AttemptId, EventId, SessionId, TaskId
from relayna.instants import Instant
from relayna.projections.trace.members import events_of_session
from relayna.projections.trace.plain import session_rows
from relayna.projections.trace.profile import analyse
from relayna.streams import MemoryLog, Recorder

__all__ = ["TRACE"]

_RUNS: Final = (1_000, 3_000, 10_000)
_SPANS_A_MESSAGE: Final = 10
_START: Final = 1_767_225_600_000_000
_ROOT: Final = "run-0"


def _run(bench: Bench) -> Iterator[Figure]:
    sizes = _RUNS[:2] if bench.quick else _RUNS
    for name, spans in (("recorded spans", True), ("attempts alone", False)):
        sessions = {runs: list(_session(runs, spans=spans)) for runs in sizes}
        taken: dict[int, list[float]] = {runs: [] for runs in sizes}
        for _ in range(bench.rounds):
            for runs, events in sessions.items():
                taken[runs].append(_analysed(events))
        for runs, samples in taken.items():
            target = SESSION_ANALYSED if runs == _RUNS[-1] else None
            yield Figure(name=f"{name}, {runs:,} runs", unit="s", samples=samples, target=target)
        exponents = [
            growth_exponent(dict(zip(sizes, costs, strict=True)))
            for costs in zip(*taken.values(), strict=True)
        ]
        yield Figure(name=f"{name}, growth", unit="exponent", samples=exponents)
    yield from _costs_of_a_span(bench)


def _analysed(events: list[RecordedEvent]) -> float:
    """Seconds from what was read to the answer."""
    gc.collect()
    start = perf_counter()
    session = events_of_session(TaskId(_ROOT), events)
    analyse(session_rows(session.session_id, session.events)[1])
    return perf_counter() - start


def _session(runs: int, *, spans: bool) -> Iterator[RecordedEvent]:
    """Each run has the one at half its number as parent and source, is published, received, acked; 4 spans each."""
    for number in range(runs):
        task_id, parent = f"run-{number}", f"run-{number // 2}" if number else None
        at = _START + number * 1_000
        bodies: list[tuple[int, Body]] = [
            (0, TaskPublished()),
            (1, TaskMessageReceived(queue_name="work", consumer_name="worker")),
            (9, TaskMessageAcked()),
        ]
        if spans:
            bodies += [
                (9, _span("task", at + 1, at + 9)),
                (4, _span("read", at + 1, at + 4, kind="network")),
                (7, _span("gen", at + 4, at + 7, batch_id=task_id)),
                (8, _span("dump to storage", at + 7, at + 8, kind="network")),
                (8, OutputRecorded(data_id=task_id, sources=(parent,) if parent else ())),
            ]
        for ordinal, (after, body) in enumerate(bodies):
            envelope = Envelope(
                event_id=EventId(f"{number}.{ordinal}"),
                timestamp=Instant(at + after),
                task_id=TaskId(task_id),
                attempt_id=AttemptId(f"{number:016x}") if ordinal else None,
                seq=ordinal if 0 < ordinal < 3 else None,
                parent_task_id=None if parent is None else TaskId(parent),
                session_id=SessionId(_ROOT),
            )
            yield RecordedEvent(envelope=envelope, body=body)


def _span(
    name: str, started_at: int, ended_at: int, *, kind: str = "compute", batch_id: str | None = None
) -> SpanEnded:
    return SpanEnded(
        name=name, started_at=Instant(started_at), ended_at=Instant(ended_at), type=kind, batch_id=batch_id
    )


def _costs_of_a_span(bench: Bench) -> Iterator[Figure]:
    messages = 300 if bench.quick else 1_000

    async def none(task: TaskEnvelope, context: TaskContext) -> None:
        """Says nothing."""

    async def ten(task: TaskEnvelope, context: TaskContext) -> None:
        for _ in range(_SPANS_A_MESSAGE):
            with context.span("gen"):
                pass

    costs = []
    for number in range(bench.rounds + 1):
        without, with_spans = anyio.run(_consume, messages, none), anyio.run(_consume, messages, ten)
        if number:  # the first round warms up
            costs.append((with_spans - without) / messages / (_SPANS_A_MESSAGE + 1) * 1e6)
    yield Figure(name="a span of a handler, recorded into memory", unit="µs/span", samples=costs)


async def _consume(messages: int, handler: Callable[[TaskEnvelope, TaskContext], object]) -> float:
    broker, recorder = MemoryBroker(), Recorder(MemoryLog(), max_events=1_000_000, max_bytes=2**30)
    async with RelaynaClient(topology=WORKLOADS[0].topology, broker=broker) as client:
        for number in range(messages):
            await client.publish_task(f"order/{number}")
        consumer = TaskConsumer(rabbitmq=client, handler=handler, observation_sink=recorder, prefetch=50)
        gc.collect()
        async with anyio.create_task_group() as tasks:
            start = perf_counter()
            await tasks.start(consumer.run)
            await broker.wait_until_empty(TASK_QUEUE)
            taken = perf_counter() - start
            consumer.stop()
    return taken


TRACE: Final = Case(
    "trace",
    "A session in memory, with 4 spans a run or none: its tasks sorted out, its rows gathered, and analysed.",
    _run,
)
