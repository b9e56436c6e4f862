"""Sessions to measure with: runs that ask for runs, each handled once, for a price, as workers record them.

Owns their events and shapes. All ids are minted ones, the same in every run.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from msgspec import Struct

from relayna.events import (
    Body,
    ChildRegistered,
    Envelope,
    Event,
    RecordedEvent,
    TaskLifecycleStatusPublished,
    TaskMessageAcked,
    TaskMessageReceived,
    TaskPublished,
    UsageRecorded,
    encode_event,
    encode_frame,
)
from relayna.ids import AttemptId, EventId, MessageId, SessionId, TaskId, copied_event_id
from relayna.instants import Instant
from relayna.observability.run_records import RunRetention
from relayna.observability.run_records.records_of import record_of
from relayna.projections.execution import GraphQuery
from relayna.projections.lineage.run_lineage import RUN_LINEAGE
from relayna.streams import Append, TaskAddress
from relayna.streams.run_records import StoredRun

__all__ = ["MadeRun", "append_of", "chain", "events_of", "stored_runs", "tree"]

_START: Final = 1_767_225_600_000_000
_STEP: Final = 2_000
_WORK: Final = 1_900_000
"""µs that each is handled for."""
_AGENTS: Final = ("invoice-writer", "page-renderer", "mail-sender", "stock-keeper")


class MadeRun(Struct, kw_only=True):
    """One run of a session, before it is told by events."""

    number: int
    task_id: TaskId
    attempt_id: AttemptId
    session_id: SessionId
    born: Instant
    parent: MadeRun | None
    place: int
    """Among its parent's children, from 1."""
    children: list[MadeRun]


def chain(count: int, *, seed: int = 17) -> list[MadeRun]:
    """Each run asks for the next."""
    return _made(range(-1, count - 1), seed=seed)


def tree(count: int, *, abreast: int = 10, seed: int = 17) -> list[MadeRun]:
    """Each run asks for so many, until there are enough."""
    return _made([(number - 1) // abreast for number in range(count)], seed=seed)


def events_of(run: MadeRun) -> Iterator[RecordedEvent]:
    """What its stream holds: born, handled, asked for others, done."""
    attempt, published = run.attempt_id, TaskPublished(task_type="monthly-invoices")
    if run.parent is None:
        cause = EventId(f"{run.task_id}.published")
        yield _told(run, cause, published, 0)
    else:
        cause = _asked(run.parent, run)
        copied = copied_event_id(cause, run.task_id)
        yield _told(
            run, copied, published, 0, attempt_id=run.parent.attempt_id, parent_task_id=run.parent.task_id
        )
    agent = _AGENTS[run.number % len(_AGENTS)]
    received = TaskMessageReceived(consumer_name=agent, queue_name="tasks", message_id=MessageId(run.task_id))
    yield _told(run, EventId(f"{attempt}.0"), received, 500, attempt_id=attempt, seq=0, cause=cause)
    for child in run.children:
        yield _told(
            run, _asked(run, child), ChildRegistered(child_task_id=child.task_id), child.born - run.born,
            attempt_id=attempt, seq=child.place,
        )  # fmt: skip
    seq = len(run.children) + 1
    later = _WORK + (run.children[-1].born - run.born if run.children else 0)
    used = UsageRecorded(cost=1_200, tokens=850)
    yield _told(run, EventId(f"{attempt}.used"), used, later, attempt_id=attempt)
    done = TaskLifecycleStatusPublished(status="completed")
    yield _told(run, EventId(f"{attempt}.{seq}"), done, later, attempt_id=attempt, seq=seq)
    yield _told(
        run, EventId(f"{attempt}.{seq + 1}"), TaskMessageAcked(), later + 50, attempt_id=attempt, seq=seq + 1
    )


def append_of(run: MadeRun) -> Append:
    """All of its stream in one frame."""
    encoded = [encode_event(Event(envelope=event.envelope, body=event.body)) for event in events_of(run)]
    frame = encode_frame(run.task_id, "shared_tasks_shared_status", run.born // 1_000, encoded)
    return Append(TaskAddress(run.task_id), frame)


def stored_runs(runs: Iterable[MadeRun]) -> list[StoredRun]:
    """What is kept of these runs when their streams are folded."""
    records = []
    for run in runs:
        state = RUN_LINEAGE.initial(run.task_id)
        for event in events_of(run):
            RUN_LINEAGE.apply(state, event)
        lineage = RUN_LINEAGE.finish(state, GraphQuery())
        address = TaskAddress(run.task_id)
        records.append(record_of(lineage, address, retention=RunRetention(), stream_ends=Instant(0)))
    return [record for record in records if record is not None]


def _made(parents: Sequence[int], *, seed: int) -> list[MadeRun]:
    mint = random.Random(seed)
    runs: list[MadeRun] = []
    for number, above in enumerate(parents):
        parent = runs[above] if above >= 0 and number else None
        task_id = TaskId(mint.randbytes(16).hex())
        runs.append(
            MadeRun(
                number=number,
                task_id=task_id,
                attempt_id=AttemptId(mint.randbytes(8).hex()),
                session_id=SessionId(runs[0].task_id if runs else task_id),
                born=Instant(_START + number * _STEP),
                parent=parent,
                place=0 if parent is None else len(parent.children) + 1,
                children=[],
            )
        )
        if parent is not None:
            parent.children.append(runs[-1])
    return runs


def _asked(parent: MadeRun, child: MadeRun) -> EventId:
    return EventId(f"{parent.attempt_id}.{child.place}")


def _told(
    run: MadeRun, event_id: EventId, body: Body, later: int, **envelope: Any
) -> RecordedEvent:  # Any: fields
    at = Instant(run.born + later)
    known = Envelope(
        event_id=event_id, timestamp=at, task_id=run.task_id, session_id=run.session_id, **envelope
    )
    return RecordedEvent(envelope=known, body=body)
