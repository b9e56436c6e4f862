"""What is appended to measure appending: live tasks that take turns, an event each, and end after their eighth.

Owns the events, and how the recorder is given them. All ids are the same in every run.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable, Iterator, Sequence
from time import perf_counter
from typing import Final

from relayna.events import Envelope, Event, TaskLifecycleStatusPublished, encode_event
from relayna.ids import AttemptId, MessageId, TaskId, attempt_event_id
from relayna.instants import Instant
from relayna.streams import Durability, Recorder
from relayna.streams.redis.log import RedisLog

__all__ = ["LIVE_TASKS", "Encoded", "events_in_turns", "record_all"]

LIVE_TASKS: Final = (64, 2_000)

_EVENTS_A_TASK: Final = 8
_AT_ONCE: Final = 100
_HELD: Final = 5_000
"""Half the recorder's bound: who records more waits, as consumers do for durability."""


class Encoded:
    """Finds the bytes of events instead of making them."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._bytes = {event.envelope.event_id: encode_event(event) for event in events}

    def __call__(self, event: Event) -> bytes:
        """Those of this one."""
        return self._bytes[event.envelope.event_id]


def events_in_turns(live: int, total: int) -> Iterator[Event]:
    """So many tasks at a time; each round every live task says its next event."""
    for generation in range(total // (live * _EVENTS_A_TASK)):
        for seq in range(_EVENTS_A_TASK):
            for member in range(live):
                yield _event(generation * live + member, seq)


async def record_all(url: str, prefix: str, events: Sequence[Event]) -> float:
    """Seconds until the recorder has stored all of them; entering and leaving it is not counted."""
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
