"""The story of one attempt: what its consumer records, from the delivery to the event that closes it.

Owns the order of an attempt's events, their ids and causes. Which words each kind of consumer has is in
`consumer_words.py`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from relayna.events import (
    TERMINAL_STATUSES,
    Body,
    ChildFinished,
    ChildRegistered,
    DeadLetterRecorded,
    DeadLetterReplayed,
    DeliveryRepeated,
    EventsLost,
    RecordedEvent,
    StatusPublished,
    TaskLifecycleStatusPublished,
    TaskMessageRejected,
    TaskPublished,
    WorkflowMessagePublished,
)
from relayna.ids import (
    EventId,
    MessageId,
    TaskId,
    attempt_event_id,
    copied_event_id,
    counted_event_id,
    message_event_id,
    replay_event_id,
)
from relayna.testing.consumer_words import acked, dead_lettered, failed, received, retry_scheduled
from relayna.testing.scribe import Sent

if TYPE_CHECKING:
    from relayna.testing.histories import TaskHistory

__all__ = ["AttemptHistory"]


class AttemptHistory:
    """One delivery handled, told as it goes on. Begins with the event that opens it."""

    def __init__(
        self, task: TaskHistory, message: Sent, *, skew: float, redelivered: bool, delivery_count: int | None
    ) -> None:
        self.task = task
        self.message = message
        self.skew = skew
        self.attempt_id = task.scribe.attempt_id()
        self.dead_letter_id: str | None = None
        self._seq = 0
        self._last: EventId | None = message.cause
        self._deliveries = 0
        self._replays = 0
        self._messages: Counter[str] = Counter()
        self._last_status: tuple[MessageId, str, EventId] | None = None
        self._say(received(message, redelivered=redelivered, delivery_count=delivery_count))
        self._lifecycle("processing")

    @property
    def events(self) -> list[RecordedEvent]:
        """Everything recorded in this world so far, of all its tasks."""
        return self.task.events

    @property
    def last_event_id(self) -> EventId | None:
        """The id of what it said last."""
        return self._last

    def after(self, seconds: float) -> AttemptHistory:
        """Let time pass."""
        self.task.scribe.pass_time(seconds)
        return self

    def attempt(self, *, skew: float = 0) -> AttemptHistory:
        """The next attempt: of the copy that this one's end sent, whichever worker gets it."""
        return self.task.attempt(skew=skew)

    def redelivered(self, *, skew: float = 0, delivery_count: int | None = None) -> AttemptHistory:
        """The next attempt: of the very same message, which the broker hands out again."""
        return self.task.attempt(self.message, skew=skew, redelivered=True, delivery_count=delivery_count)

    def status(
        self,
        text: str,
        *,
        message: str | None = None,
        meta: dict[str, Any] | None = None,  # Any: JSON values
    ) -> AttemptHistory:
        """The handler publishes a status."""
        message_id = self._status_id(text)
        stage = self.message.stage
        return self._publish(
            StatusPublished(status=text, message=message, meta=meta, message_id=message_id, stage=stage)
        )

    def relayed(self, *, skew: float = 0) -> AttemptHistory:
        """A status hub stores the status that was published last, as its message tells it."""
        if self._last_status is None:
            raise ValueError("No status was published yet: there is none to relay.")
        message_id, text, cause = self._last_status
        body = StatusPublished(status=text, message_id=message_id)
        event_id = message_event_id(message_id, "status")
        self.task.scribe.write(self.task.task_id, event_id, body, cause=cause, skew=skew)
        return self

    def fails(self, exception_type: str = "RuntimeError", message: str | None = None) -> AttemptHistory:
        """The handler raises."""
        self._say(failed(self.message, exception_type, message))
        return self

    def spawns(self, task_id: str) -> TaskHistory:
        """The handler asks for a child; the child's story."""
        child, scribe = TaskId(task_id), self.task.scribe
        message = Sent(message_id=self._message_id("child"), cause=None)
        registered = self._say(ChildRegistered(child_task_id=child, message_id=message.message_id))
        scribe.parents.setdefault(child, self.task.task_id)
        published = TaskPublished(message_id=message.message_id)
        scribe.write(child, copied_event_id(registered, child), published, skew=self.skew)
        story = type(self.task)(child, scribe, lifecycle_statuses=self.task.lifecycle_statuses)
        story.waiting = Sent(message_id=message.message_id, cause=registered)
        return story

    def sends(self, stage: str) -> Sent:
        """The stage's handler publishes a message for another stage; the message."""
        message_id = self._message_id(f"to {stage}")
        origin = self.message.stage
        cause = self._say(WorkflowMessagePublished(message_id=message_id, stage=stage, origin_stage=origin))
        return Sent(message_id=message_id, cause=cause, kind="workflow", stage=stage, origin_stage=origin)

    def reports(self, text: str = "progress") -> Sent:
        """The handler publishes a status that goes to its parent's shard; that message."""
        self.status(text)
        return Sent(message_id=self._message_id("report"), cause=self._last, kind="aggregation")

    def loses(self, count: int = 1, *, confessed: bool = True) -> AttemptHistory:
        """The next events never reach the stream; the recorder says so, or not even that."""
        first = self._seq
        self._seq += count
        if confessed:
            lost = EventsLost(seq_ranges=((first, self._seq - 1),), count=count, reason="buffer_full")
            self._beside(counted_event_id(self.attempt_id, "lost", first), lost)
        return self

    def acked(self, *, joins: tuple[Sent, ...] = ()) -> AttemptHistory:
        """The handler returned; the delivery is done."""
        self._lifecycle("completed")
        self._say(acked(self.message, joined=tuple(message.message_id for message in joins)))
        return self

    def manually_retried(self) -> AttemptHistory:
        """The handler asked for the task to be handled again; a message of its own waits."""
        self._lifecycle("manual_retrying")
        closing = self._say(acked(self.message, reason="manual_retry"))
        self.task.waiting = Sent(
            message_id=self._message_id("manual retry"),
            cause=closing,
            kind=self.message.kind,
            stage=self.message.stage,
        )
        return self

    def retried(self, *, delay_ms: int = 0) -> AttemptHistory:
        """A copy waits in a retry queue."""
        self._lifecycle("retrying")
        closing = self._say(retry_scheduled(self.message, delay_ms=delay_ms))
        self.task.waiting = self._copy(closing, retry_attempt=self.message.retry_attempt + 1)
        return self

    def dead_lettered(self, reason: str = "retries_exhausted", *, stored: bool = True) -> AttemptHistory:
        """The message is given up; its content is stored, too."""
        self._lifecycle("failed")
        closing = attempt_event_id(self.attempt_id, self._seq)
        self.dead_letter_id = f"letter-{self.task.scribe.derived_message_id(self.message, 'dead letter')}"
        if stored:
            letter = DeadLetterRecorded(
                dead_letter_id=self.dead_letter_id,
                reason=reason,
                retry_attempt=self.message.retry_attempt,
                message_id=self.message.message_id,
                stage=self.message.stage,
                source_queue_name="work",
            )
            event_id = message_event_id(MessageId(self.dead_letter_id), "dead_letter")
            self._beside(event_id, letter, cause=closing)
        self._say(dead_lettered(self.message, reason))
        self._tell_parent(closing, "dead_lettered")
        return self

    def replayed(self, *, skew: float = 0) -> AttemptHistory:
        """Somebody sends the dead letter again; that message waits."""
        if self.dead_letter_id is None:
            raise ValueError("This attempt was not dead-lettered: there is no letter to replay.")
        self._replays += 1
        count = self.message.replay_count + self._replays
        event_id = replay_event_id(self.dead_letter_id, count)
        body = DeadLetterReplayed(
            dead_letter_id=self.dead_letter_id, replay_count=count, message_id=self.message.message_id
        )
        self.task.scribe.write(self.task.task_id, event_id, body, skew=skew)
        self.task.waiting = self._copy(event_id, retry_attempt=0, replay_count=count)
        return self

    def released(self, reason: str = "channel_closed") -> AttemptHistory:
        """The delivery goes back to its queue."""
        self._say(TaskMessageRejected(requeue=True, reason=reason))
        self.task.waiting = self.message
        return self

    def repeated(self, *, skew: float = 0) -> AttemptHistory:
        """The acknowledgement was lost: the delivery comes again and is settled without its handler."""
        self._deliveries += 1
        event_id = counted_event_id(self.attempt_id, "repeated", self._deliveries)
        body = DeliveryRepeated(
            message_id=self.message.message_id,
            retry_attempt=self.message.retry_attempt,
            stage=self.message.stage,
        )
        self.task.scribe.write(self.task.task_id, event_id, body, attempt_id=self.attempt_id, skew=skew)
        return self

    def _status_id(self, text: str) -> MessageId:
        """A repeated delivery ends its task once more with the same message; all else it says anew."""
        if text in TERMINAL_STATUSES:
            return self.task.scribe.derived_message_id(self.message, text)
        return self.task.scribe.message_id()

    def _message_id(self, purpose: str) -> MessageId:
        self._messages[purpose] += 1
        return self.task.scribe.derived_message_id(self.message, f"{purpose} {self._messages[purpose]}")

    def _say(self, body: Body) -> EventId:
        event_id = attempt_event_id(self.attempt_id, self._seq)
        self.task.scribe.write(
            self.task.task_id, event_id, body,
            attempt_id=self.attempt_id, seq=self._seq, cause=self._last, skew=self.skew,
        )  # fmt: skip
        self._seq += 1
        self._last = event_id
        return event_id

    def _beside(self, event_id: EventId, body: Body, *, cause: EventId | None = None) -> None:
        """A fact about the attempt that is not part of its sequence."""
        self.task.scribe.write(
            self.task.task_id, event_id, body, attempt_id=self.attempt_id, cause=cause, skew=self.skew
        )

    def _lifecycle(self, text: str) -> None:
        if self.task.lifecycle_statuses and self.message.kind != "aggregation":
            message_id = self._status_id(text)
            stage = self.message.stage
            self._publish(TaskLifecycleStatusPublished(status=text, message_id=message_id, stage=stage))

    def _publish(self, body: StatusPublished | TaskLifecycleStatusPublished) -> AttemptHistory:
        event_id = self._say(body)
        if body.message_id is not None:
            self._last_status = (body.message_id, body.status, event_id)
        if body.status in TERMINAL_STATUSES:
            self._tell_parent(event_id, body.status)
        return self

    def _tell_parent(self, event_id: EventId, status: str) -> None:
        parent, child = self.task.scribe.parents.get(self.task.task_id), self.task.task_id
        if parent is not None and self.message.kind != "aggregation":
            body = ChildFinished(child_task_id=child, status=status)
            self.task.scribe.write(parent, copied_event_id(event_id, parent), body, skew=self.skew)

    def _copy(self, cause: EventId, *, retry_attempt: int, replay_count: int | None = None) -> Sent:
        old = self.message
        return Sent(
            message_id=old.message_id,
            cause=cause,
            kind=old.kind,
            stage=old.stage,
            origin_stage=old.origin_stage,
            retry_attempt=retry_attempt,
            replay_count=old.replay_count if replay_count is None else replay_count,
        )
