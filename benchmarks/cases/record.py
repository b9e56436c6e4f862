"""`record()` on the caller: with the store up, with one that hangs, with no room left, and switched off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import perf_counter_ns
from typing import Final

import anyio

from benchmarks.case import Bench, Case
from benchmarks.figures import Figure, percentile
from benchmarks.measuring import interleaved
from benchmarks.targets import DISABLED_CALL_SITE, RECORD_MEDIAN, RECORD_SLOWEST
from benchmarks.workloads import WORKLOADS
from relayna.clock import SystemClock
from relayna.consumer.attempts.attempt_observer import AttemptObserver
from relayna.consumer.attempts.facts import DeliveryFacts, TaskFacts
from relayna.consumer.broker import Delivery, Message
from relayna.consumer.messages.causal_headers import CausalHeaders
from relayna.events import Event, RecordedEvent
from relayna.ids import AttemptId, MessageId, TaskId
from relayna.streams import Append, AppendResult, Log, MemoryLog, Recorder
from relayna.streams.redis.log import RedisLog

__all__ = ["RECORD"]

_EVENTS: Final = 8_000  # within the recorder's bound of 10,000
_AT_ONCE: Final = 100
_CALLS: Final = 50_000


def _run(bench: Bench) -> Iterator[Figure]:
    items = bench.history(WORKLOADS[0], _EVENTS).first_events(_EVENTS)
    events = [Event(envelope=one.envelope, body=one.body) for one in items if isinstance(one, RecordedEvent)]
    calls: dict[str, list[list[float]]] = {"store up": [], "store hangs": [], "store hangs, no room left": []}
    for _ in range(bench.rounds):
        up = RedisLog(bench.store_url, prefix=bench.fresh_prefix())
        calls["store up"].append(anyio.run(_timed_calls, Recorder(up), events))
        calls["store hangs"].append(anyio.run(_timed_calls, _hanging_recorder(20_000), events))
        calls["store hangs, no room left"].append(anyio.run(_timed_calls, _hanging_recorder(100), events))
    for name, rounds in calls.items():
        medians = [percentile(calls_of_round, 50) for calls_of_round in rounds]
        slowest = [percentile(calls_of_round, 99) for calls_of_round in rounds]
        yield Figure(name=f"p50, {name}", unit="µs/call", samples=medians, target=RECORD_MEDIAN)
        yield Figure(name=f"p99, {name}", unit="µs/call", samples=slowest, target=RECORD_SLOWEST)
    yield from _disabled(bench)


class _HangingLog(MemoryLog):
    """Takes what it is given and never answers."""

    async def append(self, appends: Sequence[Append]) -> list[AppendResult]:
        await anyio.sleep_forever()
        return []


def _hanging_recorder(max_events: int) -> Recorder:
    log: Log = _HangingLog()
    return Recorder(log, max_events=max_events, close_deadline=0)


async def _timed_calls(recorder: Recorder, events: Sequence[Event]) -> list[float]:
    """Microseconds of every call; the flusher gets its turns in between, as between handlers."""
    taken: list[float] = []
    async with recorder:
        for start in range(0, len(events), _AT_ONCE):
            for event in events[start : start + _AT_ONCE]:
                begun = perf_counter_ns()
                recorder.record(event)
                taken.append((perf_counter_ns() - begun) / 1000)
            await anyio.sleep(0.001)
    return taken


def _disabled(bench: Bench) -> Iterator[Figure]:
    observer, of = _observer_without_sink(), _delivery()
    facts = TaskFacts()
    built = facts.received(of)

    def call_site() -> None:
        for _ in range(_CALLS):
            observer.record(facts.received(of))

    def call() -> None:
        for _ in range(_CALLS):
            observer.record(built)

    def empty_loop() -> None:
        for _ in range(_CALLS):
            pass

    works = {"call site": call_site, "call": call, "loop": empty_loop}
    samples = interleaved(works, rounds=bench.rounds)
    for name, about in (
        ("call site", "builds its event and hands it over"),
        ("call", "the event is there already"),
    ):
        net = [(one - loop) / _CALLS * 1e6 for one, loop in zip(samples[name], samples["loop"], strict=True)]
        target = DISABLED_CALL_SITE if name == "call site" else None
        yield Figure(name=f"recording off, a {name}", unit="µs/call", samples=net, target=target, note=about)


def _observer_without_sink() -> AttemptObserver:
    return AttemptObserver(
        sink=None,
        clock=SystemClock(),
        attempt_id=AttemptId("0011223344556677"),
        task_id=TaskId("order/17"),
        cause=None,
        parent_task_id=None,
        session_id=None,
        correlation_id=None,
        producer="00112233",
        topology_kind="shared_tasks_shared_status",
    )


def _delivery() -> DeliveryFacts:
    return DeliveryFacts(
        delivery=Delivery(
            message=Message(body=b"{}"),
            queue_name="work",
            exchange="tasks",
            routing_key="work",
            delivery_tag=1,
        ),
        headers=CausalHeaders(),
        message_id=MessageId("00112233445566778899aabbccddeeff"),
        consumer_name="worker",
        max_retries=3,
    )


RECORD: Final = Case(
    "record", "What `Recorder.record` costs its caller, and a call site with recording off.", _run
)
