"""Histories that are large in every way: long, wide, deep, circular. Each as frames, to be appended as they are.

Owns the shapes. What they should look like when they are asked for, the tests say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, count, islice
from typing import Final

from relayna.events import (
    Body,
    ChildFinished,
    ChildRegistered,
    Envelope,
    Event,
    TaskLifecycleStatusPublished,
    TaskMessageAcked,
    TaskMessageReceived,
    WorkflowMessagePublished,
    WorkflowMessageReceived,
    WorkflowStageAcked,
    encode_event,
    encode_frame,
)
from relayna.ids import AttemptId, MessageId, TaskId, attempt_event_id
from relayna.instants import Instant
from relayna.streams import Append, Log, NotAppended, TaskAddress

__all__ = ["big_shapes", "long_task", "store"]

_START: Final = 1_767_225_600_000_000
_FRAMES_AT_ONCE: Final = 1_000
_EVENTS_A_FRAME: Final = 20


def big_shapes(size: int) -> Mapping[str, Iterator[Append]]:
    """By root, a shape each, of about so many events or tasks."""
    return {
        "long": long_task("long", size),
        "children": _many_children("children", size),
        "chain": _chain("chain", max(100, size // 10)),
        "circle": _circle("circle", max(10, size // 100)),
        "wide": _wide_workflow("wide", size // 3),
    }


async def store(log: Log, frames: Iterable[Append]) -> int:
    """Append all of them; how many there were."""
    rest = iter(frames)
    stored = 0
    while some := list(islice(rest, _FRAMES_AT_ONCE)):
        for result in await log.append(some):
            assert not isinstance(result, NotAppended), result
        stored += len(some)
    return stored


def long_task(task_id: str, events: int) -> Iterator[Append]:
    """One task that was retried again and again, in so many events."""
    for number in range(events // 4):
        told: list[Body] = [
            TaskMessageReceived(message_id=MessageId(f"{task_id}.{number}")),
            TaskLifecycleStatusPublished(status="processing"),
            TaskLifecycleStatusPublished(status=f"step {number}"),
            TaskMessageAcked(),
        ]
        yield _frame(task_id, _attempt(task_id, number, told))


def _many_children(root: str, children: int) -> Iterator[Append]:
    names = [f"{root}/{number}" for number in range(children)]
    registered = [ChildRegistered(child_task_id=TaskId(name)) for name in names]
    finished = [ChildFinished(child_task_id=TaskId(name), status="completed") for name in names]
    yield from _in_frames(root, _attempt(root, 0, [TaskMessageReceived(), *registered, *finished]))
    for name in names:
        told = [TaskMessageReceived(), TaskLifecycleStatusPublished(status="completed"), TaskMessageAcked()]
        yield _frame(name, _attempt(name, 0, told, parent=root))


def _chain(root: str, length: int) -> Iterator[Append]:
    names = [root, *(f"{root}/{number}" for number in range(1, length))]
    for name, child in zip(names, [*names[1:], None], strict=True):
        told: list[Body] = [TaskMessageReceived()]
        if child is not None:
            told.append(ChildRegistered(child_task_id=TaskId(child)))
        yield _frame(name, _attempt(name, 0, [*told, TaskMessageAcked()]))


def _circle(root: str, length: int) -> Iterator[Append]:
    names = [root, *(f"{root}/{number}" for number in range(1, length))]
    for name, child in zip(names, [*names[1:], root], strict=True):
        # Each is also the parent of the root, so that there are circles at every depth.
        told = [ChildRegistered(child_task_id=TaskId(one)) for one in (child, root, name)]
        yield _frame(name, _attempt(name, 0, [TaskMessageReceived(), *told, TaskMessageAcked()]))


def _wide_workflow(root: str, messages: int) -> Iterator[Append]:
    published = [
        WorkflowMessagePublished(message_id=MessageId(f"m{number}"), stage="each", origin_stage="all")
        for number in range(messages)
    ]
    first = WorkflowMessageReceived(message_id=MessageId("first"), stage="all")
    kind = "shared_status_workflow"
    yield from _in_frames(root, _attempt(root, 0, [first, *published, WorkflowStageAcked(stage="all")]), kind)
    stages = chain.from_iterable(
        _attempt(
            root,
            1 + number,
            [
                WorkflowMessageReceived(message_id=one.message_id, stage="each"),
                WorkflowStageAcked(stage="each", message_id=one.message_id),
            ],
        )
        for number, one in enumerate(published)
    )
    yield from _in_frames(root, stages, kind)


def _attempt(task_id: str, number: int, told: Iterable[Body], *, parent: str | None = None) -> list[Event]:
    attempt_id = AttemptId(f"{task_id}.a{number}")
    ticks = count(_START + number * 1_000_000, 1_000)
    return [
        Event(
            envelope=Envelope(
                event_id=attempt_event_id(attempt_id, seq),
                timestamp=Instant(next(ticks)),
                task_id=TaskId(task_id),
                attempt_id=attempt_id,
                seq=seq,
                parent_task_id=None if parent is None else TaskId(parent),
            ),
            body=body,
        )
        for seq, body in enumerate(told)
    ]


def _in_frames(task_id: str, events: Iterable[Event], kind: str | None = None) -> Iterator[Append]:
    rest = iter(events)
    while some := list(islice(rest, _EVENTS_A_FRAME)):
        yield _frame(task_id, some, kind)


def _frame(task_id: str, events: Iterable[Event], kind: str | None = None) -> Append:
    payload = encode_frame(TaskId(task_id), kind, None, [encode_event(event) for event in events])
    return Append(TaskAddress(TaskId(task_id)), payload)
