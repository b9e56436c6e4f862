"""Many producers that record into the same tasks' streams, the journals of what they mean, and the judgement.

Owns what each of them tells of a task, and the comparison with streams and graphs: every event there, once, in
its producer's order. Each journal is one producer's: what records at once with it has one of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from reliability.journal import Journal, read_journal
from reliability.oracle import stored_events, tasks_in_feeds
from reliability.report import Findings

from relayna.clock import SystemClock
from relayna.errors import ExecutionNotFound
from relayna.events import (
    Body,
    Envelope,
    Event,
    RecordedEvent,
    TaskLifecycleStatusPublished,
    TaskMessageAcked,
    TaskMessageReceived,
    TaskResourceSampled,
)
from relayna.ids import TaskId, attempt_event_id
from relayna.mint import RandomMint
from relayna.observability import ExecutionGraphService
from relayna.streams import Log
from relayna.streams.recording import Recorder

__all__ = ["FEWEST_EVENTS", "judge_produced", "record_abreast", "task_ids", "tell_of"]

FEWEST_EVENTS = 3
"""Of an attempt: its beginning, a status and its end."""

_clock = SystemClock()
_mint = RandomMint()


def task_ids(count: int) -> list[str]:
    """The tasks that all producers tell of."""
    return [f"task-{number}" for number in range(count)]


def tell_of(task_id: str, events: int, *, producer: str, parent: str | None = None) -> list[Event]:
    """One attempt at the task, in so many events that this producer tells."""
    attempt_id = _mint.attempt_id()
    bodies: list[Body] = [
        TaskMessageReceived(message_id=_mint.message_id()),
        TaskLifecycleStatusPublished(status="processing"),
        *(TaskResourceSampled(memory_rss_bytes=number) for number in range(events - FEWEST_EVENTS)),
        TaskMessageAcked(),
    ]
    return [
        Event(
            envelope=Envelope(
                event_id=attempt_event_id(attempt_id, seq),
                timestamp=_clock.now(),
                task_id=TaskId(task_id),
                attempt_id=attempt_id,
                seq=seq,
                parent_task_id=None if parent is None else TaskId(parent),
                producer=producer,
            ),
            body=body,
        )
        for seq, body in enumerate(bodies)
    ]


def record_abreast(recorder: Recorder, journal: Journal, attempts: Iterable[Sequence[Event]]) -> None:
    """Record the first event of each, then the second of each…; each row is in the journal before."""
    for row in zip(*attempts, strict=True):
        journal.intend(row)
        for event in row:
            recorder.record(event)


async def judge_produced(log: Log, journals: Iterable[Path], *, beside: Iterable[str] = ()) -> Findings:
    """What streams and graphs make of all that was intended; there may be streams of the tasks `beside` it."""
    intended = [read_journal(journal) for journal in journals]
    tasks = {task_id: None for one in intended for task_id in one}
    found: Counter[str] = Counter()
    service = ExecutionGraphService(log=log)
    for task_id in tasks:
        wanted = [one[task_id] for one in intended if task_id in one]
        stored = await stored_events(log, task_id)
        attempts = {event.envelope.attempt_id for event in stored}
        found.update(_in_the_stream(stored, wanted))
        found.update(await _in_the_graph(service, task_id, len(attempts)))
    found["unexpected"] += len(await tasks_in_feeds(log) - tasks.keys() - set(beside))
    return Findings(tasks=len(tasks), **found)


def _in_the_stream(stored: Sequence[RecordedEvent], wanted: Sequence[Sequence[str]]) -> Mapping[str, int]:
    event_ids = [event.envelope.event_id for event in stored]
    order = {event_id: place for place, event_id in enumerate(dict.fromkeys(event_ids))}
    places = [[order[event_id] for event_id in of_one if event_id in order] for of_one in wanted]
    intended = sum(map(len, wanted))
    found = sum(map(len, places))
    return {
        "events": len(event_ids),
        "lost": intended - found,
        "duplicated_in_log": len(event_ids) - len(order),
        "unexpected": len(order) - found + sum(of_one != sorted(of_one) for of_one in places),
    }


async def _in_the_graph(service: ExecutionGraphService, task_id: str, attempts: int) -> Mapping[str, int]:
    """Nothing happened that would excuse a graph for not being full."""
    try:
        graph = await service.get_graph(task_id)
    except ExecutionNotFound:
        return {"unexpected": 1}
    shown = [node for node in graph.nodes if node.kind == "task_attempt"]
    ended = sum(node.annotations["outcome"] == "acked" for node in shown)
    is_full = graph.summary.graph_completeness == "full"
    return {
        "lost": max(0, attempts - len(shown)),
        "duplicated_in_graph": max(0, len(shown) - attempts),
        "unexpected": int(not is_full),
        "silent_partials": int(is_full and ended < len(shown)),
    }
