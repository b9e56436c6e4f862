"""Ordinary tasks to measure with: eight events each, recorded by the real recorder as their workers would.

Owns what such a task says, and in which steps it comes to be. Of every ten tasks one fails once and is retried; each
has a correlation id of its own, and ten share a session.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from relayna.events import (
    Body,
    ConsumerRetryScheduled,
    Envelope,
    Event,
    TaskHandlerFailed,
    TaskLifecycleStatusPublished,
    TaskMessageAcked,
    TaskMessageReceived,
    TaskPublished,
    TaskResourceSampled,
)
from relayna.ids import AttemptId, EventId, MessageId, SessionId, TaskId, attempt_event_id, message_event_id
from relayna.instants import Instant
from relayna.streams import Durability, Recorder
from relayna.streams.redis import RedisLog

__all__ = [
    "EVENTS_A_TASK",
    "TOPOLOGY_KIND",
    "MadeTask",
    "made_task",
    "made_tasks",
    "record_tasks",
    "steps_of",
]

EVENTS_A_TASK: Final = 8
FRAMES_A_TASK: Final = 4
"""What comes together is stored together."""
TOPOLOGY_KIND: Final = "shared_tasks_shared_status"

_APART: Final = 3_000
"""µs from one task's start to the next one's."""
_TASKS_A_SESSION: Final = 10
_FAILS: Final = 10
_QUEUES: Final = ("orders", "invoices", "mails", "pages")
_HANDLERS: Final = ("order-writer", "invoice-writer", "mail-sender", "page-renderer")
_MAXIMUM_HELD: Final = 5_000


class MadeTask(Struct, frozen=True):
    """One task, before it is told by events."""

    number: int
    task_id: TaskId
    message_id: MessageId
    attempts: tuple[AttemptId, AttemptId]
    session_id: SessionId | None
    correlation_id: str | None
    born: Instant


def made_tasks(
    count: int, *, born: Instant, first: int = 0, readable: bool = False, bare: bool = False
) -> list[MadeTask]:
    """So many tasks from the `first` on, the same in every run; ids are UUIDs unless they shall be `readable`.

    Those that are `bare` tell neither their session nor a correlation id.
    """
    return [
        made_task(number, born=born, readable=readable, bare=bare) for number in range(first, first + count)
    ]


def made_task(number: int, *, born: Instant, readable: bool = False, bare: bool = False) -> MadeTask:
    """The task of this number; tasks begin 3 ms apart."""
    minted = hashlib.sha512(b"%d" % number).hexdigest()
    uuid = f"{minted[:8]}-{minted[8:12]}-{minted[12:16]}-{minted[16:20]}-{minted[20:32]}"
    return MadeTask(
        number=number,
        task_id=TaskId(f"order/2026/{number:07}" if readable else uuid),
        message_id=MessageId(minted[32:64]),
        attempts=(AttemptId(minted[64:80]), AttemptId(minted[80:96])),
        session_id=None if bare else SessionId(f"session-{number // _TASKS_A_SESSION:06}"),
        correlation_id=None if bare else f"basket-{number:07}",
        born=Instant(born + number * _APART),
    )


def steps_of(task: MadeTask, *, frames: int = FRAMES_A_TASK) -> list[list[Event]]:
    """Its eight events, those together that are recorded together."""
    events = _failing(task) if task.number % _FAILS == 0 else _plain(task)
    each = EVENTS_A_TASK // frames
    return [events[start : start + each] for start in range(0, EVENTS_A_TASK, each)]


async def record_tasks(log: RedisLog, tasks: Sequence[MadeTask], *, frames: int = FRAMES_A_TASK) -> None:
    """Have them recorded, step by step, and stored: each step of a task is a frame."""
    every = [steps_of(task, frames=frames) for task in tasks]
    at_once = _MAXIMUM_HELD * frames // EVENTS_A_TASK
    async with Recorder(log, flush_events=_MAXIMUM_HELD) as recorder:
        for start in range(0, len(every), at_once):
            for number in range(frames):
                for steps in every[start : start + at_once]:
                    for event in steps[number]:
                        recorder.record(event, topology_kind=TOPOLOGY_KIND)
                if await recorder.durable(budget_seconds=60) is not Durability.STORED:
                    raise RuntimeError("The recorder did not store everything within a minute.")


def _plain(task: MadeTask) -> list[Event]:
    attempt, _ = task.attempts
    bodies: list[tuple[int, Body]] = [
        (5_000, _received(task, 0)),
        (6_000, _status("processing")),
        (100_000, _status("half of the pages are written")),
        (190_000, TaskResourceSampled(sample_kind="after_handler", cpu_process_seconds=3.25)),
        (200_000, _status("all pages are written")),
        (210_000, _status("completed")),
        (211_000, TaskMessageAcked(queue_name=_queue(task), consumer_name=_handler(task), delivery_tag=17)),
    ]
    published = _published(task)
    return [published, *_attempt(task, attempt, bodies, cause=published.envelope.event_id)]


def _failing(task: MadeTask) -> list[Event]:
    first, second = task.attempts
    queue, handler = _queue(task), _handler(task)
    failed = TaskHandlerFailed(
        exception_type="TimeoutError",
        exception_message="no answer in 5 s",
        queue_name=queue,
        consumer_name=handler,
    )
    retried = ConsumerRetryScheduled(
        queue_name=f"{queue}.retry", source_queue_name=queue, consumer_name=handler, retry_attempt=1, max_retries=5,
        delay_ms=1_000, reason="handler_error", message_id=task.message_id,
    )  # fmt: skip
    published = _published(task)
    before = _attempt(
        task, first,
        [(5_000, _received(task, 0)), (200_000, failed), (201_000, retried)],
        cause=published.envelope.event_id,
    )  # fmt: skip
    after = _attempt(
        task, second,
        [
            (1_205_000, _received(task, 1)), (1_206_000, _status("processing")),
            (1_400_000, _status("completed")),
            (1_401_000, TaskMessageAcked(queue_name=queue, consumer_name=handler, delivery_tag=18)),
        ],
        cause=before[-1].envelope.event_id,
    )  # fmt: skip
    return [published, *before, *after]


def _attempt(
    task: MadeTask, attempt: AttemptId, bodies: Sequence[tuple[int, Body]], *, cause: EventId
) -> list[Event]:
    """What an attempt says, one after the other, so many µs after the task's birth."""
    events: list[Event] = []
    for seq, (later, body) in enumerate(bodies):
        event_id = attempt_event_id(attempt, seq)
        events.append(_event(task, event_id, later, body, attempt_id=attempt, seq=seq, cause=cause))
        cause = event_id
    return events


def _published(task: MadeTask) -> Event:
    body = TaskPublished(
        message_id=task.message_id,
        task_type=f"{_queue(task)}-of-the-month",
        exchange="tasks",
        routing_key=_queue(task),
    )
    return _event(task, message_event_id(task.message_id, "published"), 0, body)


def _received(task: MadeTask, retry_attempt: int) -> Body:
    return TaskMessageReceived(
        queue_name=_queue(task), consumer_name=_handler(task), message_id=task.message_id,
        task_type=f"{_queue(task)}-of-the-month", retry_attempt=retry_attempt, delivery_tag=17,
    )  # fmt: skip


def _status(status: str) -> Body:
    return TaskLifecycleStatusPublished(status=status)


def _event(task: MadeTask, event_id: EventId, later: int, body: Body, **known: Any) -> Event:  # Any: fields
    envelope = Envelope(
        event_id=event_id,
        timestamp=Instant(task.born + later),
        task_id=task.task_id,
        session_id=task.session_id,
        correlation_id=task.correlation_id,
        producer="00112233",
        **known,
    )
    return Event(envelope=envelope, body=body)


def _queue(task: MadeTask) -> str:
    return _QUEUES[task.number % len(_QUEUES)]


def _handler(task: MadeTask) -> str:
    return _HANDLERS[task.number % len(_HANDLERS)]
