"""One task's history put together: its attempts, statuses, retries, dead letters, messages and children.

Owns the one pass over a task's ordered events. Draws nothing and judges nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct, field

from relayna.events import (
    AggregationDeadLetterPublished,
    AggregationRetryScheduled,
    Body,
    ChildFinished,
    ChildRegistered,
    ConsumerDeadLetterPublished,
    ConsumerRetryScheduled,
    DeadLetterRecorded,
    DeadLetterReplayed,
    DeliveryRepeated,
    EventsLost,
    Opaque,
    RecordedEvent,
    StatusPublished,
    TaskLifecycleStatusPublished,
    TaskResourceSampled,
    WorkflowMessagePublished,
    WorkflowMessageReceived,
    WorkflowStageAcked,
)
from relayna.events.vocabulary import CLOSING_TYPES, FAILED_TYPES
from relayna.ids import EventId, MessageId, TaskId
from relayna.projections.attempts import Attempt, Attempts, gather_attempts
from relayna.projections.attribution import Attribution, attribute
from relayna.projections.dead_letters import DeadLetter, distinct_dead_letters
from relayna.projections.drawing import node_id
from relayna.projections.ordering import PlacedEvent, in_causal_order
from relayna.projections.outcomes import ABANDONED, DEAD_LETTERED, UNKNOWN, outcome_named, outcome_of
from relayna.projections.statuses import Status, distinct_statuses

__all__ = ["Child", "LogicalMessage", "Retry", "TaskRun", "gather_task_run"]


class Retry(Struct, kw_only=True, gc=False):
    """A retry that was scheduled, and by which attempt."""

    placed: PlacedEvent
    body: ConsumerRetryScheduled | AggregationRetryScheduled
    by: Attribution
    number: int = 0
    node_id: str = ""


class LogicalMessage(Struct, kw_only=True, gc=False):
    """A workflow message with all its retried, replayed and repeated copies."""

    message_id: str
    published: PlacedEvent | None = None
    attempts: list[Attempt] = field(default_factory=list)


class Child(Struct, kw_only=True, gc=False):
    """What a parent's stream says of one child."""

    task_id: TaskId
    finished: PlacedEvent | None = None


class TaskRun:
    """One task's history, put together."""

    def __init__(self, task_id: TaskId, events: Mapping[EventId, RecordedEvent]) -> None:
        self.task_id = task_id
        self.events = events
        self.ordered, self.circular = in_causal_order(events)
        self.attempts: Attempts = gather_attempts(self.ordered)
        self.placed: dict[EventId, PlacedEvent] = {placed.own_id: placed for placed in self.ordered}
        self.statuses: list[Status] = []
        self.retries: list[Retry] = []
        self.letters: list[DeadLetter] = []
        self.letters_by: dict[int, Attribution] = {}
        self.messages: dict[str, LogicalMessage] = {}
        self.children: dict[TaskId, Child] = {}
        self.opaque: list[PlacedEvent] = []
        self.losses: list[PlacedEvent] = []
        self.message_of: dict[str, str] = {}
        """The message node of each stage attempt, by the attempt's ref."""
        self.redelivered_after: set[str] = set()
        """Refs of attempts whose delivery was handed out again after them."""

    def attribute(self, placed: PlacedEvent) -> Attribution:
        """The attempt that made this fact."""
        return attribute(self.attempts, placed)

    def message_node(self, message_id: str | None) -> str | None:
        """The node of that logical message; none outside workflows."""
        return node_id("workflow-message", message_id) if message_id in self.messages else None

    def attribution_of(self, letter: DeadLetter) -> Attribution:
        """Which attempt this dead letter ended."""
        return self.letters_by[id(letter)]


def gather_task_run(task_id: TaskId, events: Mapping[EventId, RecordedEvent]) -> TaskRun:
    """Put one task's events together."""
    run = TaskRun(task_id, events)
    gathering = _Gathering(run)
    for placed in run.ordered:
        take = gathering.takers.get(type(placed.event.body))
        if take is not None:
            take(placed, placed.event.body)
    gathering.finish()
    return run


class _Gathering:
    """The pass: one taker per type of event."""

    def __init__(self, run: TaskRun) -> None:
        self.run = run
        self.statuses: list[PlacedEvent] = []
        self.observed_letters: list[PlacedEvent] = []
        self.stored_letters: list[PlacedEvent] = []
        self.replays: list[PlacedEvent] = []
        self.takers: dict[type[Body], Callable[[PlacedEvent, Body], None]] = {
            StatusPublished: lambda placed, _: self.statuses.append(placed),
            TaskLifecycleStatusPublished: lambda placed, _: self.statuses.append(placed),
            DeadLetterRecorded: lambda placed, _: self.stored_letters.append(placed),
            DeadLetterReplayed: lambda placed, _: self.replays.append(placed),
            Opaque: lambda placed, _: run.opaque.append(placed),
            ChildRegistered: self.child,
            ChildFinished: self.child,
            EventsLost: self.about_attempt,
            DeliveryRepeated: self.about_attempt,
            TaskResourceSampled: self.about_attempt,
            WorkflowMessagePublished: self.message,
            WorkflowMessageReceived: self.message,
            **dict.fromkeys(FAILED_TYPES, self.about_attempt),
            **dict.fromkeys(CLOSING_TYPES, self.closing),
        }

    def about_attempt(self, placed: PlacedEvent, body: Body) -> None:
        if isinstance(body, EventsLost):
            self.run.losses.append(placed)
        attempt = attribute(self.run.attempts, placed).attempt
        if attempt is None:
            return
        match body:
            case EventsLost():
                attempt.losses.append(body)
            case DeliveryRepeated():
                attempt.repeated += 1
            case TaskResourceSampled():
                attempt.samples.append(body)
            case _:
                attempt.failed = attempt.failed or placed

    def closing(self, placed: PlacedEvent, body: Body) -> None:
        by = attribute(self.run.attempts, placed)
        if by.attempt is not None:
            by.attempt.closings.append(placed)
        if isinstance(body, ConsumerRetryScheduled | AggregationRetryScheduled):
            self.run.retries.append(Retry(placed=placed, body=body, by=by))
        elif isinstance(body, ConsumerDeadLetterPublished | AggregationDeadLetterPublished):
            self.observed_letters.append(placed)
        elif isinstance(body, WorkflowStageAcked):
            for message_id in body.joined_message_ids:
                self._message(message_id)

    def message(self, placed: PlacedEvent, body: Body) -> None:
        if isinstance(body, WorkflowMessagePublished):
            message = self._message(body.message_id)
            message.published = message.published or placed
        elif isinstance(body, WorkflowMessageReceived):
            attempt = self.run.attempts.by_ref.get(placed.event.envelope.attempt_id or placed.own_id)
            if attempt is not None:
                # A foreign message may have no id: then the delivery stands for it.
                self._message(body.message_id or MessageId(placed.own_id)).attempts.append(attempt)

    def _message(self, message_id: str) -> LogicalMessage:
        return self.run.messages.setdefault(message_id, LogicalMessage(message_id=message_id))

    def child(self, placed: PlacedEvent, body: Body) -> None:
        if not isinstance(body, ChildRegistered | ChildFinished) or body.child_task_id == self.run.task_id:
            return
        child = self.run.children.setdefault(body.child_task_id, Child(task_id=body.child_task_id))
        if isinstance(body, ChildFinished):
            child.finished = placed  # the latest wins: a child may be reopened and end again

    def finish(self) -> None:
        self.run.statuses = distinct_statuses(self.statuses)
        self.run.letters = distinct_dead_letters(self.observed_letters, self.stored_letters, self.replays)
        by_message = _newest_by_message(self.run.attempts.members)
        for letter in self.run.letters:
            self.run.letters_by[id(letter)] = _letter_attribution(self.run, letter, by_message)
        for attempt in self.run.attempts.members:
            _settle(attempt, by_message)
        self._link_messages()
        for letter in self.run.letters:
            attempt_of_letter = self.run.letters_by[id(letter)].attempt
            if attempt_of_letter is not None and not attempt_of_letter.closings:
                attempt_of_letter.outcome = DEAD_LETTERED
                attempt_of_letter.closed_at = letter.placed.time

    def _link_messages(self) -> None:
        for message in self.run.messages.values():
            for attempt in message.attempts:
                self.run.message_of[attempt.ref] = node_id("workflow-message", message.message_id)
        earlier: dict[tuple[str | None, str, int], Attempt] = {}
        for attempt in self.run.attempts.members:
            received = attempt.received()
            if received is None:
                continue
            delivery = (received.message_id or received.queue_name, attempt.lane, received.retry_attempt)
            if received.redelivered and delivery in earlier:
                self.run.redelivered_after.add(earlier[delivery].ref)
            earlier[delivery] = attempt


def _newest_by_message(attempts: Iterable[Attempt]) -> dict[str, Attempt]:
    newest: dict[str, Attempt] = {}
    for attempt in attempts:
        received = attempt.received()
        if received is not None and received.message_id is not None:
            newest[received.message_id] = attempt
    return newest


def _letter_attribution(run: TaskRun, letter: DeadLetter, by_message: Mapping[str, Attempt]) -> Attribution:
    by = attribute(run.attempts, letter.placed)
    if by.evidence == "inferred" and letter.known("message_id") in by_message:
        return Attribution(
            by_message[letter.known("message_id")], "inferred", "newest_attempt_of_the_message"
        )
    return by


def _settle(attempt: Attempt, newest_by_message: Mapping[str, Attempt]) -> None:
    """Own closing event, else what was confessed, else abandoned when the message was handled again."""
    told = outcome_of(placed.event.body for placed in attempt.closings)
    if told is not None:
        attempt.outcome = told
        attempt.closed_at = max(placed.time for placed in attempt.closings)
        return
    confessed = [lost.outcome for lost in attempt.losses if lost.outcome is not None]
    if confessed:
        attempt.outcome = outcome_named(min(confessed))
        return
    received = attempt.received()
    if received is None:
        attempt.outcome = UNKNOWN
    elif received.message_id is not None and newest_by_message[received.message_id] is not attempt:
        attempt.outcome = ABANDONED
