"""Answers what happened to one task, event by event: its history as the log has it, and its timeline.

Owns how a question becomes an answer. What is read `history_pages.py` and `family_reading.py` know; the
projection puts the timeline together.
"""

from __future__ import annotations

from typing import Final, get_args

import anyio.to_thread

from relayna.clock import Clock, SystemClock
from relayna.errors import InvalidQuery
from relayna.ids import EventId, StreamId, TaskId, Tenant
from relayna.observability.admission import Admission
from relayna.observability.family_history import FamilyHistory
from relayna.observability.family_reading import FamilyReader
from relayna.observability.graph_question import Moment, checked_question
from relayna.observability.history_cursor import is_position
from relayna.observability.history_pages import (
    EVENT_TYPE_NAMES,
    HistoryOrder,
    HistoryPage,
    HistoryWanted,
    read_history,
)
from relayna.observability.left_out import bounds_for
from relayna.projections.execution import GraphQuery
from relayna.projections.timeline import TIMELINE, Timeline
from relayna.streams import DEFAULT_TENANT, Log, TaskAddress
from relayna.streams.log import DEFAULT_RETENTION_SECONDS

__all__ = ["MOST_EVENTS", "MOST_LINES", "TaskHistories", "TimelinePage"]

MOST_EVENTS: Final = 200
"""Of one page of a history."""
MOST_LINES: Final = 1_000
"""Of one page of a timeline."""

_ORDERS: Final[tuple[HistoryOrder, ...]] = get_args(HistoryOrder)
_TIMELINE_NODES: Final = 10_000
"""What is read for a timeline is as much as a graph of so many nodes is made from."""
_FOLDED_HERE: Final = 300


class TimelinePage(Timeline, kw_only=True):
    """Some of a timeline's lines, in order."""

    lines: int
    """How many there are in all."""
    next: str | None
    """The event behind which the next page begins, to be given as `cursor`; null when there is none."""


class TaskHistories:
    """Reads one tenant's tasks from a log, which must be open. Any number of these may read the same log.

    All that serve graphs and timelines in a process share one `admission`.
    """

    def __init__(
        self,
        *,
        log: Log,
        tenant: Tenant = DEFAULT_TENANT,
        retention_seconds: int = DEFAULT_RETENTION_SECONDS,
        clock: Clock | None = None,
        admission: Admission | None = None,
    ) -> None:
        self._log = log
        self._tenant = tenant
        self._retention_micros = retention_seconds * 1_000_000
        self._clock = clock or SystemClock()
        self._admission = admission or Admission()

    async def get_history(
        self,
        task_id: str,
        *,
        order: str = "asc",
        event_types: tuple[str, ...] = (),
        after: str | None = None,
        until: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
        with_payloads: bool = False,
    ) -> HistoryPage:
        """A page of the task's events as they lie in its stream: from the oldest, or with `desc` from the newest.

        `after` and `until` are positions in the stream. Without `with_payloads`, bodies and headers of dead
        letters are left out. Raises `ExecutionNotFound`, `InvalidQuery`, `StoreUnreachable` and `StoreRefused`.
        """
        for name, position in (("after", after), ("until", until)):
            if position is not None and not is_position(position):
                problem = f"{position[:80]!r} is no position; take it from `position` of an event"
                raise InvalidQuery(name, problem)
        unknown = next((name for name in event_types if name not in EVENT_TYPE_NAMES), None)
        if unknown is not None:
            raise InvalidQuery("event_type", f"{unknown[:80]!r} is none of {', '.join(EVENT_TYPE_NAMES)}")
        wanted = HistoryWanted(
            order=_checked_order(order),
            event_types=tuple(sorted(set(event_types))),
            after=None if after is None else StreamId(after),
            until=None if until is None else StreamId(until),
            cursor=cursor,
            limit=_checked_limit(limit, MOST_EVENTS),
        )
        address = TaskAddress(checked_question(task_id).task_id, self._tenant)
        return await read_history(self._log, address, wanted, with_payloads=with_payloads)

    async def get_timeline(
        self,
        task_id: str,
        *,
        at: Moment | None = None,
        cursor: str | None = None,
        limit: int = 200,
    ) -> TimelinePage:
        """What happened to the task in order, as it was `at` that time.

        `cursor` is the event behind which to go on. Of a task with very many events the middle is left out,
        and `missing` says `limit_reached`. Raises as `get_history` does, and `Busy`.
        """
        question = checked_question(task_id, at=at)
        _checked_limit(limit, MOST_LINES)
        query = GraphQuery(at=question.at)
        with self._admission.turn() as turn:
            reader = FamilyReader(
                self._log,
                tenant=self._tenant,
                bounds=bounds_for(_TIMELINE_NODES, max_tasks=1),
                now=self._clock.now(),
                retention_micros=self._retention_micros,
                before_much=turn.take,
            )
            history = await reader.read(question.task_id, depth=0)
            if len(history.items) <= _FOLDED_HERE:
                timeline = _fold(question.task_id, history, query)
            else:
                timeline = await anyio.to_thread.run_sync(_fold, question.task_id, history, query)
        return _page(timeline, cursor, limit)


def _fold(root: TaskId, history: FamilyHistory, query: GraphQuery) -> Timeline:
    state = TIMELINE.initial(root)
    for item in history.items:
        TIMELINE.apply(state, item)
    return TIMELINE.finish(state, query)


def _page(timeline: Timeline, cursor: str | None, limit: int) -> TimelinePage:
    entries = timeline.entries
    start = 0
    if cursor is not None:
        places = {entry.event_id: place for place, entry in enumerate(entries, 1)}
        if EventId(cursor) not in places:
            problem = f"no event of this timeline is {cursor[:80]!r}; take it from `next` of an answer"
            raise InvalidQuery("cursor", problem)
        start = places[EventId(cursor)]
    shown = entries[start : start + limit]
    more = start + limit < len(entries)
    fields = {name: getattr(timeline, name) for name in Timeline.__struct_fields__}
    fields["entries"] = shown
    return TimelinePage(**fields, lines=len(entries), next=shown[-1].event_id if more else None)


def _checked_order(order: str) -> HistoryOrder:
    for known in _ORDERS:
        if order == known:
            return known
    raise InvalidQuery("order", f"{order[:80]!r} is none of {', '.join(_ORDERS)}")


def _checked_limit(limit: int, most: int) -> int:
    if not 1 <= limit <= most:
        raise InvalidQuery("limit", f"{limit} is not between 1 and {most}")
    return limit
