"""Writes histories down: one clock, one source of ids, and the events of every task in the story.

Owns time and ids of made-up histories. What is written, and when, `histories.py` and
`attempt_histories.py` say.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from relayna.events import Body, Envelope, RecordedEvent
from relayna.ids import AttemptId, EventId, MessageId, StreamId, TaskId, message_event_id
from relayna.instants import Instant
from relayna.mint import CountingMint

__all__ = ["START", "Scribe", "Sent"]

START: Final = Instant(1_767_225_600_000_000)
"""2026-01-01T00:00:00Z: when every history starts."""


class Sent(Struct, frozen=True, kw_only=True):
    """A message on its way: what its next delivery says of itself."""

    message_id: MessageId
    cause: EventId | None
    kind: str = "task"
    """`task`, `workflow` or `aggregation`: which kind of consumer gets it."""
    stage: str | None = None
    origin_stage: str | None = None
    retry_attempt: int = 0
    replay_count: int = 0


class Scribe:
    """The clock, the ids and the events of one made-up world."""

    def __init__(self, *, tick: float = 0.001) -> None:
        self.now = START
        self.events: list[RecordedEvent] = []
        """In the order in which they were stored, of all tasks."""
        self.parents: dict[TaskId, TaskId] = {}
        self._mint = CountingMint()
        self._derived: dict[tuple[object, ...], MessageId] = {}
        self._tick = round(tick * 1_000_000)

    def pass_time(self, seconds: float) -> None:
        """Move the true time on."""
        self.now = Instant(self.now + round(seconds * 1_000_000))

    def attempt_id(self) -> AttemptId:
        """A new attempt."""
        return self._mint.attempt_id()

    def message_id(self) -> MessageId:
        """A new message."""
        return self._mint.message_id()

    def derived_message_id(self, delivery: Sent, label: str) -> MessageId:
        """The id of a message that a handler publishes: the same when its delivery is repeated."""
        key = (delivery.message_id, delivery.stage, delivery.retry_attempt, delivery.replay_count, label)
        return self._derived.setdefault(key, self._mint.message_id())

    def write(
        self,
        task_id: TaskId,
        event_id: EventId,
        body: Body,
        *,
        attempt_id: AttemptId | None = None,
        seq: int | None = None,
        cause: EventId | None = None,
        skew: float = 0,
    ) -> EventId:
        """Store one fact in the task's stream. `skew` is how many seconds its producer's clock is ahead."""
        envelope = Envelope(
            event_id=event_id,
            timestamp=Instant(self.now + round(skew * 1_000_000)),
            task_id=task_id,
            attempt_id=attempt_id,
            seq=seq,
            cause=cause,
            parent_task_id=self.parents.get(task_id),
        )
        milliseconds = self.now // 1000
        place = StreamId(f"{milliseconds}-{len(self.events)}")
        self.events.append(
            RecordedEvent(envelope=envelope, body=body, stream_id=place, first_append_ms=milliseconds)
        )
        self.now = Instant(self.now + self._tick)
        return event_id

    def publish(self, task_id: TaskId, message: Sent, body: Body, *, skew: float = 0) -> Sent:
        """Store that a message was published outside any attempt; the message, caused by that."""
        published = message_event_id(message.message_id, "published")
        self.write(task_id, published, body, skew=skew)
        return Sent(
            message_id=message.message_id,
            cause=published,
            kind=message.kind,
            stage=message.stage,
            origin_stage=message.origin_stage,
        )
