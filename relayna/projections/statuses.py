"""Statuses: one node for each, though a worker observes it, a store keeps it and a hub relays it.

Owns when records of statuses are the same status.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct, field

from relayna.events import StatusPublished, TaskLifecycleStatusPublished
from relayna.ids import EventId, MessageId, own_event_id
from relayna.instants import UNTIMED, Instant
from relayna.projections.ordering import PlacedEvent

__all__ = ["Status", "distinct_statuses"]


class Status(Struct, kw_only=True, gc=False):
    """One status of the task and all records of it."""

    placed: PlacedEvent
    """The record that stands for it: the worker's own where there is one."""
    text: str
    message: str | None
    meta: dict[str, Any] | None  # Any: the user's own JSON object
    others: list[PlacedEvent] = field(default_factory=list)


def distinct_statuses(records: Iterable[PlacedEvent]) -> list[Status]:
    """The statuses, in order of what stands for them; `records` in order."""
    observed: list[PlacedEvent] = []
    stored: list[PlacedEvent] = []
    for placed in records:
        (observed if _is_observed(placed) else stored).append(placed)
    register = _Register()
    for placed in observed:
        register.take(placed, register.with_message(placed))
    for placed in stored:
        register.take(
            placed, register.caused_by(placed) or register.with_message(placed) or register.alike(placed)
        )
    return sorted(register.statuses, key=lambda status: status.placed.key)


def _is_observed(placed: PlacedEvent) -> bool:
    return placed.event.envelope.attempt_id is not None or isinstance(
        placed.event.body, TaskLifecycleStatusPublished
    )


def _body(placed: PlacedEvent) -> StatusPublished | TaskLifecycleStatusPublished:
    body = placed.event.body
    if not isinstance(body, StatusPublished | TaskLifecycleStatusPublished):
        raise TypeError(f"{type(body).__name__} is no status")
    return body


class _Register:
    """Statuses found so far, by everything that can tell that another record is one of them."""

    def __init__(self) -> None:
        self.statuses: list[Status] = []
        self._by_event: dict[EventId, Status] = {}
        self._by_message: dict[MessageId, Status] = {}
        self._observed_by_look: dict[tuple[str, Instant], list[Status]] = {}

    def caused_by(self, placed: PlacedEvent) -> Status | None:
        cause = placed.event.envelope.cause
        return None if cause is None else self._by_event.get(own_event_id(cause))

    def with_message(self, placed: PlacedEvent) -> Status | None:
        message_id = _body(placed).message_id
        return None if message_id is None else self._by_message.get(message_id)

    def alike(self, placed: PlacedEvent) -> Status | None:
        if placed.time == UNTIMED:
            return None
        body = _body(placed)
        for status in self._observed_by_look.get((body.status, placed.time), ()):
            # Two messages with ids of their own are two statuses, however alike.
            if None in (body.message_id, _body(status.placed).message_id):
                return status
        return None

    def take(self, placed: PlacedEvent, same: Status | None) -> None:
        body = _body(placed)
        if same is None:
            same = Status(placed=placed, text=body.status, message=body.message, meta=body.meta)
            self.statuses.append(same)
            if _is_observed(placed):
                self._observed_by_look.setdefault((body.status, placed.time), []).append(same)
        else:
            same.others.append(placed)
            same.message = same.message if same.message is not None else body.message
            same.meta = same.meta if same.meta is not None else body.meta
        self._by_event[placed.own_id] = same
        if body.message_id is not None:
            self._by_message.setdefault(body.message_id, same)
