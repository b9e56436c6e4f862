"""Statuses: one node for each, though a worker observes it, a store keeps it and a hub relays it.

Owns when records of statuses are the same status.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeAlias

from msgspec import Struct

from relayna.events import StatusPublished, TaskLifecycleStatusPublished
from relayna.events.vocabulary import STATUS_TYPES
from relayna.ids import EventId, MessageId
from relayna.instants import UNTIMED, Instant
from relayna.projections.fact_ids import cause_of
from relayna.projections.few import Few, with_one_more
from relayna.projections.ordering import OrderKey, PlacedEvent

__all__ = ["Status", "distinct_statuses"]

_Look: TypeAlias = tuple[str, Instant, str | None, bool]
"""Status text, instant, stage, and whether only a status without a message id is meant."""
_ANY_STAGE = ":any"


class Status(Struct, gc=False):
    """One status of the task and all records of it."""

    placed: PlacedEvent
    """The record that stands for it: the worker's own where there is one."""
    text: str
    message: str | None
    meta: dict[str, Any] | None  # Any: the user's own JSON object
    others: Few[PlacedEvent] = ()


def distinct_statuses(
    records: Collection[PlacedEvent], *, by_attempt: Callable[[PlacedEvent], tuple[OrderKey, OrderKey]]
) -> list[Status]:
    """The statuses, in order of what stands for them; `records` in order.

    Where there may be several records of one they are looked at in the order of `by_attempt`.
    """
    statuses: list[Status] = []
    messages: set[MessageId] = set()
    for placed in records:
        body = _body(placed)
        message_id = body.message_id
        if message_id in messages or (placed.event.envelope.attempt_id is None and not _is_observed(placed)):
            return _told_apart(sorted(records, key=by_attempt))
        if message_id is not None:
            messages.add(message_id)
        statuses.append(Status(placed, body.status, body.message, body.meta))
    return statuses


def _told_apart(records: Iterable[PlacedEvent]) -> list[Status]:
    observed: list[PlacedEvent] = []
    stored: list[PlacedEvent] = []
    for placed in records:
        (observed if _is_observed(placed) else stored).append(placed)
    register = _Register()
    taken = [register.take_observed(placed) for placed in observed]
    if stored:  # looking alike matters only to records that come without ids
        for placed, status in zip(observed, taken, strict=True):
            register.expect_others_of(placed, status)
    for placed in stored:
        register.take_stored(placed)
    return sorted(register.statuses, key=lambda status: status.placed.key)


def _is_observed(placed: PlacedEvent) -> bool:
    # A plain record without an id is named after the list that it stood in.
    return (
        placed.event.envelope.attempt_id is not None
        or isinstance(placed.event.body, TaskLifecycleStatusPublished)
        or placed.own_id.startswith("observation:")
    )


def _body(placed: PlacedEvent) -> StatusPublished | TaskLifecycleStatusPublished:
    body = placed.event.body
    if not isinstance(body, STATUS_TYPES):
        raise TypeError(f"{type(body).__name__} is no status")
    return body


class _Register:
    """Statuses found so far, by everything that can tell that another record is one of them."""

    def __init__(self) -> None:
        self.statuses: list[Status] = []
        self._by_event: dict[EventId, Status] = {}
        self._observed_by_message: dict[tuple[MessageId, str], Status] = {}
        self._stored_by_message: dict[tuple[MessageId, str, Instant], Status] = {}
        self._observed_by_look: dict[_Look, Status] = {}

    def take_observed(self, placed: PlacedEvent) -> Status:
        """One more record of a worker's; the status that it is of."""
        body = _body(placed)
        if body.message_id is None:
            return self._take(placed, body, None)
        message = (body.message_id, body.status)
        known = self._observed_by_message.get(message)
        same = self._observed_by_message[message] = self._take(placed, body, known)
        if known is not None:
            # A repeated attempt said it again, after more statuses of its own: the last time is the one.
            if same.others:
                same.others[-1] = same.placed
            same.placed = placed
        return same

    def expect_others_of(self, placed: PlacedEvent, status: Status) -> None:
        """Stored or relayed records of what a worker observed may name it as their cause, or look like it."""
        body = _body(placed)
        self._by_event[placed.own_id] = status
        for stage in (body.stage, _ANY_STAGE):
            self._observed_by_look.setdefault((body.status, placed.time, stage, False), status)
            if body.message_id is None:
                self._observed_by_look.setdefault((body.status, placed.time, stage, True), status)

    def take_stored(self, placed: PlacedEvent) -> None:
        """One more record that is not a worker's."""
        body = _body(placed)
        same = self._caused_by(placed) or self._with_message(placed) or self._alike(placed)
        same = self._take(placed, body, same)
        self._by_event[placed.own_id] = same
        if body.message_id is not None:
            self._stored_by_message.setdefault((body.message_id, body.status, placed.time), same)

    def _caused_by(self, placed: PlacedEvent) -> Status | None:
        """A hub's record of a relayed message has the status itself as its cause."""
        cause, body = cause_of(placed.event.envelope), _body(placed)
        found = None if cause is None else self._by_event.get(cause)
        if found is None or found.text != body.status:
            return None
        message_id = _body(found.placed).message_id
        return found if message_id is None or body.message_id in (None, message_id) else None

    def _with_message(self, placed: PlacedEvent) -> Status | None:
        """A message is one status; elsewhere ids may name the task's message, so text and time must agree."""
        body = _body(placed)
        if body.message_id is None:
            return None
        found = self._observed_by_message.get((body.message_id, body.status))
        return found or self._stored_by_message.get((body.message_id, body.status, placed.time))

    def _alike(self, placed: PlacedEvent) -> Status | None:
        """Task, text, stage and instant agree. Two messages with ids of their own are two statuses."""
        if placed.time == UNTIMED:
            return None
        body = _body(placed)
        stages = (_ANY_STAGE,) if body.stage is None else (body.stage, None)
        looks = ((body.status, placed.time, stage, body.message_id is not None) for stage in stages)
        return next((same for look in looks if (same := self._observed_by_look.get(look))), None)

    def _take(
        self, placed: PlacedEvent, body: StatusPublished | TaskLifecycleStatusPublished, same: Status | None
    ) -> Status:
        if same is None:
            same = Status(placed=placed, text=body.status, message=body.message, meta=body.meta)
            self.statuses.append(same)
        else:
            same.others = with_one_more(same.others, placed)
            same.message = same.message if same.message is not None else body.message
            same.meta = same.meta if same.meta is not None else body.meta
        return same
