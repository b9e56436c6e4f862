"""Records of one task's dead letter, by hand: the letter, its replays, and the attempts at its copies."""

from __future__ import annotations

from typing import Any

from relayna.events import (
    Body,
    ConsumerDeadLetterPublished,
    ConsumerRetryScheduled,
    DeadLetterRecorded,
    DeadLetterReplayClaimed,
    DeadLetterReplayed,
    Envelope,
    RecordedEvent,
    TaskMessageAcked,
    TaskMessageReceived,
)
from relayna.ids import (
    AttemptId,
    EventId,
    MessageId,
    StreamId,
    TaskId,
    replay_claim_event_id,
    replay_event_id,
)
from relayna.instants import Instant

__all__ = ["BODY", "Records"]

BODY = b'{"task_id":"T"}'


class Records:
    """A task's stream, written line by line."""

    def __init__(self) -> None:
        self.events: list[RecordedEvent] = []

    def letter(self, dead_letter_id: str = "L", **fields: Any) -> Records:
        given = {
            "reason": "retries_exhausted",
            "exception_type": "KeyError",
            "message_id": MessageId("m"),
            "source_queue_name": "work",
            "body": BODY,
            "body_size": len(BODY),
            **fields,
        }
        return self.say(
            DeadLetterRecorded(dead_letter_id=dead_letter_id, **given),
            event_id=f"{dead_letter_id}.dead_letter",
        )

    def replayed(self, dead_letter_id: str = "L", count: int = 1) -> Records:
        body = DeadLetterReplayed(
            dead_letter_id=dead_letter_id, replay_count=count, message_id=MessageId("m")
        )
        return self.say(body, event_id=replay_event_id(dead_letter_id, count))

    def claimed(
        self,
        claim_id: str,
        *,
        at_seconds: int = 1,
        count: int = 1,
        dead_letter_id: str = "L",
        withdrawn: bool = False,
        claimed_by: str | None = None,
    ) -> Records:
        """A claim that holds for a minute from when the store took it in, or the end of one."""
        body = DeadLetterReplayClaimed(
            dead_letter_id=dead_letter_id,
            replay_count=count,
            claim_id=claim_id,
            claimed_by=claimed_by,
            holds_ms=60_000,
            withdrawn=withdrawn,
        )
        event_id = replay_claim_event_id(dead_letter_id, count, claim_id, withdrawn=withdrawn)
        return self.say(body, event_id=event_id, stream_id=f"{at_seconds * 1000}-0")

    def attempt(
        self,
        attempt_id: str,
        count: int,
        end: str | None = None,
        *,
        cause: str | None = None,
        queue: str = "work",
    ) -> Records:
        """An attempt at the copy with that replay count, ended by `acked`, `dead`, `retried` or not at all."""
        received = TaskMessageReceived(queue_name=queue, message_id=MessageId("m"), replay_count=count)
        self.say(received, attempt_id=attempt_id, event_id=f"{attempt_id}.0", cause=cause)
        closing: dict[str, Body] = {
            "acked": TaskMessageAcked(),
            "dead": ConsumerDeadLetterPublished(),
            "retried": ConsumerRetryScheduled(retry_attempt=1),
        }
        if end is not None:
            self.say(closing[end], attempt_id=attempt_id, event_id=f"{attempt_id}.1")
        return self

    def say(
        self,
        body: Body,
        *,
        event_id: str,
        attempt_id: str | None = None,
        cause: str | None = None,
        stream_id: str = "0-0",
    ) -> Records:
        envelope = Envelope(
            event_id=EventId(event_id),
            timestamp=Instant(1_000_000 * (len(self.events) + 1)),
            task_id=TaskId("T"),
            attempt_id=None if attempt_id is None else AttemptId(attempt_id),
            cause=None if cause is None else EventId(cause),
        )
        self.events.append(RecordedEvent(envelope=envelope, body=body, stream_id=StreamId(stream_id)))
        return self
