"""Gathers one task's ordered events into its run: one pass, then what only the whole can tell.

Owns the order of the steps. Draws nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from relayna.events import (
    Body,
    ChildFinished,
    ChildRegistered,
    DeadLetterRecorded,
    DeadLetterReplayed,
    DeliveryRepeated,
    EventsLost,
    Opaque,
    RecordedEvent,
    TaskResourceSampled,
    WorkflowMessagePublished,
    WorkflowMessageReceived,
    WorkflowStageAcked,
    WorkflowStageFailed,
)
from relayna.events.vocabulary import CLOSING_TYPES, DEAD_LETTER_TYPES, FAILED_TYPES, RETRY_TYPES
from relayna.ids import EventId, MessageId, TaskId
from relayna.projections.attempts import Attempt
from relayna.projections.births import find_births
from relayna.projections.dead_letters import distinct_dead_letters
from relayna.projections.drawing import node_id
from relayna.projections.few import with_one_more
from relayna.projections.logical_messages import LogicalMessage, message_origin
from relayna.projections.numbering import number_nodes
from relayna.projections.ordering import OrderKey, PlacedEvent
from relayna.projections.retries import Retry
from relayna.projections.rooting import cut_circles
from relayna.projections.settling import attribute_letters, settle_attempts
from relayna.projections.statuses import distinct_statuses
from relayna.projections.task_run import Child, TaskRun

__all__ = ["gather_task_run"]

_OF_CHILDREN: Final = (ChildRegistered, ChildFinished)


def gather_task_run(
    task_id: TaskId, events: Mapping[EventId, RecordedEvent], *, taken: set[str] | None = None
) -> TaskRun:
    """Put one task's events together. `taken` are ids of message nodes that other tasks have; it grows."""
    run = TaskRun(task_id, events)
    gathering = _Gathering(run, set() if taken is None else taken)
    for placed in run.reading.others:
        body = placed.event.body
        take = _TAKERS.get(type(body))
        if take is not None:
            take(gathering, placed, body)
    gathering.finish()
    return run


class _Gathering:
    """The pass: one taker per type of event."""

    def __init__(self, run: TaskRun, taken: set[str]) -> None:
        self.run = run
        self.taken = taken
        self.observed_letters: list[PlacedEvent] = []
        self.stored_letters: list[PlacedEvent] = []
        self.replays: list[PlacedEvent] = []

    def stored_letter(self, placed: PlacedEvent, body: Body) -> None:
        self.stored_letters.append(placed)

    def replay(self, placed: PlacedEvent, body: Body) -> None:
        self.replays.append(placed)

    def opaque(self, placed: PlacedEvent, body: Body) -> None:
        self.run.opaque = with_one_more(self.run.opaque, placed)

    def about_attempt(self, placed: PlacedEvent, body: Body) -> None:
        attempt = self.run.attribute(placed).attempt
        if attempt is None:
            return
        match body:
            case DeliveryRepeated():
                attempt.repeated += 1
            case TaskResourceSampled():
                attempt.samples = with_one_more(attempt.samples, body)
            case _:
                attempt.failed = attempt.failed or placed
                if attempt.opened is None:
                    self._handled_message(attempt, placed, body)

    def lost(self, placed: PlacedEvent, body: Body) -> None:
        # A producer's loss is of no attempt, whichever ran at that time.
        self.run.losses = with_one_more(self.run.losses, placed)
        attempt = self.run.attempts.with_id(placed.event.envelope.attempt_id)
        if attempt is not None and isinstance(body, EventsLost):
            attempt.losses = with_one_more(attempt.losses, body)

    def closing(self, placed: PlacedEvent, body: Body) -> None:
        by = self.run.attribute(placed)
        if by.attempt is not None:
            if by.attempt.closing is not None:
                by.attempt.closings_before = with_one_more(by.attempt.closings_before, by.attempt.closing)
            by.attempt.closing = placed
            if by.attempt.opened is None:
                self._handled_message(by.attempt, placed, body)
        if isinstance(body, RETRY_TYPES):
            self.run.retries = with_one_more(self.run.retries, Retry(placed=placed, body=body, by=by))
        elif isinstance(body, DEAD_LETTER_TYPES):
            self.observed_letters.append(placed)
        elif isinstance(body, WorkflowStageAcked):
            for message_id in sorted(set(body.joined_message_ids)):
                message = self._message(message_id)
                if by.attempt is not None:
                    message.joined = with_one_more(message.joined, by.attempt)

    def _handled_message(self, attempt: Attempt, placed: PlacedEvent, body: Body) -> None:
        """An attempt whose beginning is missing may tell at its end which message it handled."""
        if (
            placed.event.envelope.attempt_id == attempt.ref
            and isinstance(body, (WorkflowStageAcked, WorkflowStageFailed))
            and body.message_id is not None
        ):
            message = self._message(body.message_id)
            if attempt not in message.attempts[-1:]:
                message.attempts = with_one_more(message.attempts, attempt)

    def message_published(self, placed: PlacedEvent, body: Body) -> None:
        if isinstance(body, WorkflowMessagePublished):
            message = self._message(body.message_id)
            message.published = message.published or placed

    def message_received(self, placed: PlacedEvent, body: Body) -> None:
        if isinstance(body, WorkflowMessageReceived):
            envelope = placed.event.envelope
            ref = placed.own_id if envelope.attempt_id is None else envelope.attempt_id
            attempt = self.run.attempts.by_ref.get(ref)
            if attempt is not None and attempt.opened is placed:
                # A foreign message may have no id: then the delivery stands for it.
                message = self._message(body.message_id or MessageId(placed.own_id))
                message.attempts = with_one_more(message.attempts, attempt)

    def _message(self, message_id: str) -> LogicalMessage:
        message = self.run.messages.get(message_id)
        if message is None:
            own_id = node_id("workflow-message", message_id)
            if own_id in self.taken:
                own_id = node_id("workflow-message", message_id, self.run.task_id)
            self.taken.add(own_id)
            message = LogicalMessage(message_id=message_id, node_id=own_id)
            self.run.messages[message_id] = message
        return message

    def child(self, placed: PlacedEvent, body: Body) -> None:
        if not isinstance(body, _OF_CHILDREN) or body.child_task_id == self.run.task_id:
            return
        child = self.run.children.setdefault(body.child_task_id, Child(task_id=body.child_task_id))
        if isinstance(body, ChildFinished):
            child.finished = placed  # the latest wins: a child may be reopened and end again

    def _by_attempt(self, placed: PlacedEvent) -> tuple[OrderKey, OrderKey]:
        # A repeated delivery may publish the same status again; clocks must not say which was the last.
        attempt = self.run.attempts.with_id(placed.event.envelope.attempt_id)
        return (placed.key if attempt is None else attempt.key, placed.key)

    def finish(self) -> None:
        run = self.run
        run.statuses = distinct_statuses(run.reading.statuses, by_attempt=self._by_attempt)
        run.letters = distinct_dead_letters(self.observed_letters, self.stored_letters, self.replays)
        number_nodes(run.task_id, run.attempts.members, run.retries, run.letters)
        attribute_letters(run)
        for message in run.messages.values():
            message.origin = message_origin(message, run.attempts, run.placed)
            for attempt in message.attempts:
                attempt.message_node = message.node_id
        find_births(run)
        cut_circles(run)
        settle_attempts(run)


_TAKERS: Final[dict[type[Body], Callable[[_Gathering, PlacedEvent, Body], None]]] = {
    DeadLetterRecorded: _Gathering.stored_letter,
    DeadLetterReplayed: _Gathering.replay,
    Opaque: _Gathering.opaque,
    ChildRegistered: _Gathering.child,
    ChildFinished: _Gathering.child,
    EventsLost: _Gathering.lost,
    DeliveryRepeated: _Gathering.about_attempt,
    TaskResourceSampled: _Gathering.about_attempt,
    WorkflowMessagePublished: _Gathering.message_published,
    WorkflowMessageReceived: _Gathering.message_received,
    **dict.fromkeys(FAILED_TYPES, _Gathering.about_attempt),
    **dict.fromkeys(CLOSING_TYPES, _Gathering.closing),
}
"""Which part of the run an event goes to."""
