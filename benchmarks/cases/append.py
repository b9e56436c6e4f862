"""Sustained events a second into the store, beside raw commands in the same run.

Live tasks take turns, an event each, and each ends after its eighth. The raw peer encodes every event as
the recorder does and sends one plain XADD an event and one EXPIRE a task and batch, packed by hand and
answered through hiredis; the limit is the same without the encoding.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterable, Iterator
from time import perf_counter
from typing import Final
from urllib.parse import urlsplit

import anyio
import hiredis

from benchmarks.case import Bench, Case
from benchmarks.figures import Figure
from benchmarks.targets import APPEND_BESIDE_RAW, APPEND_FEW_TASKS
from relayna.events import Envelope, Event, TaskLifecycleStatusPublished, encode_event
from relayna.ids import AttemptId, MessageId, TaskId, attempt_event_id
from relayna.instants import Instant
from relayna.streams import Durability, Recorder
from relayna.streams.redis.log import RedisLog

__all__ = ["APPEND"]

_EVENTS_A_TASK: Final = 8
_LIVE_TASKS: Final = (64, 2_000)
_AT_ONCE: Final = 100
_HELD: Final = 5_000
"""Half the recorder's bound: who records more waits, as consumers do for durability."""
_RAW_BATCH: Final = 500
_RAW_IN_FLIGHT: Final = 4
_WEEK: Final = 604_800


def _run(bench: Bench) -> Iterator[Figure]:
    total = 32_000 if bench.quick else 64_000
    for live in _LIVE_TASKS:
        events = list(_events_in_turns(live, total))
        encoded = _Encoded(events)
        ours: list[float] = []
        raw: list[float] = []
        limit: list[float] = []
        for _ in range(bench.rounds):
            limit.append(_rate(bench, events, _send_raw, encoded))
            raw.append(_rate(bench, events, _send_raw, encode_event))
            ours.append(_rate(bench, events, _record))
        ratios = [own / other for own, other in zip(ours, raw, strict=True)]
        rate_target = APPEND_FEW_TASKS if live == _LIVE_TASKS[0] else None
        name = f"{live:,} live tasks"
        yield Figure(name=f"{name}, recorder", unit="events/s", samples=ours, target=rate_target)
        yield Figure(name=f"{name}, raw commands", unit="events/s", samples=raw)
        yield Figure(name=f"{name}, raw commands, encoded beforehand", unit="events/s", samples=limit)
        yield Figure(name=f"{name}, recorder beside raw", unit="x", samples=ratios, target=APPEND_BESIDE_RAW)


class _Encoded:
    """Finds the bytes of events instead of making them."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._bytes = {event.envelope.event_id: encode_event(event) for event in events}

    def __call__(self, event: Event) -> bytes:
        return self._bytes[event.envelope.event_id]


def _rate(
    bench: Bench,
    events: list[Event],
    send: Callable[..., Awaitable[float]],
    *options: Callable[[Event], bytes],
) -> float:
    """Events a second, into streams of their own."""
    return len(events) / anyio.run(send, bench.store_url, bench.fresh_prefix(), events, *options)


def _events_in_turns(live: int, total: int) -> Iterator[Event]:
    """So many tasks at a time; each round every live task says its next event."""
    for generation in range(total // (live * _EVENTS_A_TASK)):
        for seq in range(_EVENTS_A_TASK):
            for member in range(live):
                yield _event(generation * live + member, seq)


def _event(task: int, seq: int) -> Event:
    attempt_id = AttemptId(f"{task:016x}")
    return Event(
        envelope=Envelope(
            event_id=attempt_event_id(attempt_id, seq),
            timestamp=Instant(1_767_225_600_000_000 + task * 1_000 + seq),
            task_id=TaskId(f"order/2026/{task:07d}"),
            attempt_id=attempt_id,
            seq=seq,
            cause=attempt_event_id(attempt_id, seq - 1) if seq else None,
            correlation_id="basket-9",
            producer="00112233",
        ),
        body=TaskLifecycleStatusPublished(
            status="processing", message="on the way", message_id=MessageId(f"{task:031x}{seq}")
        ),
    )


async def _record(url: str, prefix: str, events: list[Event]) -> float:
    recorder = Recorder(RedisLog(url, prefix=prefix))
    async with recorder:
        gc.collect()
        start = perf_counter()
        for first in range(0, len(events), _AT_ONCE):
            for event in events[first : first + _AT_ONCE]:
                recorder.record(event, topology_kind="shared_tasks_shared_status")
            await asyncio.sleep(0)
            if recorder.buffered_events > _HELD:
                await recorder.durable(budget_seconds=60)
        if await recorder.durable(budget_seconds=60) is not Durability.STORED:
            raise RuntimeError("The recorder did not store everything within a minute.")
        return perf_counter() - start


async def _send_raw(url: str, prefix: str, events: list[Event], encode: Callable[[Event], bytes]) -> float:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    replies = hiredis.Reader()
    unanswered: list[int] = []
    gc.collect()
    start = perf_counter()
    for first in range(0, len(events), _RAW_BATCH):
        commands = _packed_batch(prefix, events[first : first + _RAW_BATCH], encode)
        writer.write(b"".join(commands))
        unanswered.append(len(commands))
        if len(unanswered) == _RAW_IN_FLIGHT:
            await _read_replies(reader, replies, unanswered.pop(0))
    for count in unanswered:
        await _read_replies(reader, replies, count)
    taken = perf_counter() - start
    writer.close()
    await writer.wait_closed()
    return taken


def _packed_batch(prefix: str, events: list[Event], encode: Callable[[Event], bytes]) -> list[bytes]:
    keys = [f"{prefix}:{event.envelope.task_id}".encode() for event in events]
    commands = [
        _packed(b"XADD", key, b"*", b"f", encode(event)) for key, event in zip(keys, events, strict=True)
    ]
    commands += [_packed(b"EXPIRE", key, b"%d" % _WEEK) for key in dict.fromkeys(keys)]
    return commands


def _packed(*parts: bytes) -> bytes:
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


async def _read_replies(reader: asyncio.StreamReader, replies: hiredis.Reader, count: int) -> None:
    while count:
        if replies.gets() is not False:
            count -= 1
        else:
            replies.feed(await reader.read(65_536))


APPEND: Final = Case(
    "append",
    "Sustained events a second into the store, with expiry, eight events a task; raw commands beside.",
    _run,
)
