"""A handler that waits until children have ended, by reading its own task's stream.

Owns when a wait is over and which child ended it. Records nothing: `lineage_context.py` does.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Final, Literal, TypeAlias, get_args

import anyio
from msgspec import Struct

from relayna.clock import Clock
from relayna.errors import RelaynaError, StoreError
from relayna.events import FAILED_STATUSES, ChildFinished, RecordedEvent
from relayna.ids import TaskId
from relayna.signals import Counters
from relayna.streams.sink import ObservationSink

__all__ = ["WAIT_MODES", "ChildrenEnded", "ChildrenNotEnded", "Suspension", "WaitMode", "ends_of", "waker"]

WaitMode: TypeAlias = Literal["all", "any", "first_success"]
WAIT_MODES: Final[tuple[str, ...]] = get_args(WaitMode)

_log: Final = logging.getLogger("relayna.consumer")
_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 1.0
_READ_SECONDS: Final = 2.0


class ChildrenEnded(Struct, frozen=True, kw_only=True):
    """What a waiting parent was woken by."""

    woken_by: TaskId
    """The child whose end it was."""
    statuses: dict[TaskId, str | None]
    """How each ended that has, in the order in which the parent's stream tells it."""
    waiting: tuple[TaskId, ...]
    """The others."""


class ChildrenNotEnded(RelaynaError, TimeoutError):
    """The children that a handler waited for did not end in time."""

    def __init__(self, task_id: str, waiting: Iterable[str], *, seconds: float) -> None:
        self.task_id = task_id
        self.waiting = tuple(waiting)
        self.seconds = seconds
        super().__init__(
            f"Task {task_id!r} waited {seconds:g} s for {', '.join(self.waiting[:10])}"
            f"{', …' if len(self.waiting) > 10 else ''}. Is there a free worker for them? Give more time, or go on."
        )


class Suspension(Struct, frozen=True, kw_only=True):
    """One wait of one handler."""

    task_id: TaskId
    children: tuple[TaskId, ...]
    mode: WaitMode
    sink: ObservationSink
    clock: Clock
    counters: Counters

    async def wait(self, *, timeout: float | None) -> ChildrenEnded:  # noqa: ASYNC109 - by the client's clock
        """Look again and again, ever less often. Raises `ChildrenNotEnded`, and `RecorderClosed`.

        A store that does not answer is waited for too.
        """
        until = None if timeout is None else self.clock.now() + round(timeout * 1_000_000)
        pause = _FIRST_PAUSE_SECONDS
        statuses: Mapping[TaskId, str | None] = {}
        while True:
            statuses = await self._look(statuses)
            waiting = tuple(child for child in self.children if child not in statuses)
            woken_by = waker(statuses, self.children, self.mode)
            if woken_by is not None:
                return ChildrenEnded(woken_by=woken_by, statuses=dict(statuses), waiting=waiting)
            left = pause if until is None else (until - self.clock.now()) / 1_000_000
            if timeout is not None and left <= 0:
                raise ChildrenNotEnded(self.task_id, waiting, seconds=timeout)
            await self.clock.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _look(self, known: Mapping[TaskId, str | None]) -> Mapping[TaskId, str | None]:
        try:
            with anyio.fail_after(_READ_SECONDS):
                await self.sink.durable()  # a child that ended in this very process may not be stored yet
                return ends_of(await self.sink.read(self.task_id), self.children)
        except (StoreError, TimeoutError) as error:
            self.counters.increment("relayna_suspended_reads_failed_total")
            _log.warning("Task %s waits for children, and could not look: %s", self.task_id, error)
            return known


def ends_of(events: Iterable[RecordedEvent], children: Iterable[TaskId]) -> dict[TaskId, str | None]:
    """How those of the children that have ended did, by the parent's stream, in its order: each ends once."""
    wanted = set(children)
    ends: dict[TaskId, str | None] = {}
    for event in events:
        if isinstance(event.body, ChildFinished) and event.body.child_task_id in wanted:
            ends.setdefault(event.body.child_task_id, event.body.status)
    return ends


def waker(statuses: Mapping[TaskId, str | None], children: Iterable[TaskId], mode: WaitMode) -> TaskId | None:
    """The child whose end wakes a parent that waits like this; none while it waits on."""
    ended = list(statuses)
    if mode == "any":
        return ended[0] if ended else None
    if mode == "first_success":
        for child, status in statuses.items():
            if status is not None and status not in FAILED_STATUSES:
                return child
    return ended[-1] if ended and statuses.keys() >= set(children) else None
