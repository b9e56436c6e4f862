"""Identifiers and the one grammar by which event ids are made and read.

Owns the shapes of ids. Mints nothing: randomness lives in `relayna.mint`.
"""

from __future__ import annotations

from typing import NewType

__all__ = [
    "AttemptId", "EventId", "MessageId", "SessionId", "StreamId", "TaskId", "Tenant",
    "attempt_event_id", "copied_event_id", "counted_event_id", "message_event_id", "operator_event_id",
    "own_event_id", "replay_claim_event_id", "replay_event_id", "stream_id_before", "stream_position",
]  # fmt: skip

TaskId = NewType("TaskId", str)
"""The user's name of a task; any text, compared exactly."""

AttemptId = NewType("AttemptId", str)
"""64 random bits as 16 hex digits, minted when a handler starts."""

EventId = NewType("EventId", str)
"""Names one fact. See the functions below for its shapes."""

MessageId = NewType("MessageId", str)
"""The logical message: the same on its retried, replayed and repeated copies."""

SessionId = NewType("SessionId", str)
"""Groups the tasks of one run of a workflow; by default the root task's id."""

StreamId = NewType("StreamId", str)
"""A position in a stream, as Redis writes it: `milliseconds-counter`."""

Tenant = NewType("Tenant", str)
"""Whose tasks these are. Part of every key; never contains `~`."""


_LAST_COUNTER = 2**64 - 1


def attempt_event_id(attempt_id: AttemptId, seq: int) -> EventId:
    """`<attempt>.<seq>`: the seq-th event of an attempt in its own task's stream."""
    return EventId(f"{attempt_id}.{seq}")


def message_event_id(message_id: MessageId, kind: str) -> EventId:
    """`<message>.<kind>`: a fact outside any attempt; a redelivered carrier gives the same id."""
    return EventId(f"{_escape(message_id)}.{kind}")


def counted_event_id(owner: str, kind: str, count: int) -> EventId:
    """`<owner>.<kind>.<k>`: facts about an attempt that are not part of its sequence."""
    return EventId(f"{_escape(owner)}.{kind}.{count}")


def replay_event_id(dead_letter_id: str, count: int) -> EventId:
    """`<dead letter>.replayed.<count>`: the count-th replay of a dead letter."""
    return counted_event_id(dead_letter_id, "replayed", count)


def replay_claim_event_id(
    dead_letter_id: str, count: int, claim_id: str, *, withdrawn: bool = False
) -> EventId:
    """`<dead letter>.replay_claimed.<count>.<claim>`: one claim to that replay; `.withdrawn` ends it."""
    claimed = f"{counted_event_id(dead_letter_id, 'replay_claimed', count)}.{_escape(claim_id)}"
    return EventId(f"{claimed}.withdrawn" if withdrawn else claimed)


def operator_event_id(target_id: str, action: str, action_id: str, outcome: str) -> EventId:
    """`<target>.operator.<action>.<action id>.<outcome>`: one step of what an operator asked for."""
    return EventId(f"{_escape(target_id)}.operator.{action}.{_escape(action_id)}.{outcome}")


def copied_event_id(own: EventId, other_task: TaskId) -> EventId:
    """`<own>@<task>`: the same fact, told in another task's stream."""
    return EventId(f"{own}@{other_task}")


def own_event_id(event_id: EventId) -> EventId:
    """The fact's own id, whichever stream told it.

    >>> own_event_id(EventId("0011223344556677.4@order/7"))
    '0011223344556677.4'
    """
    return EventId(event_id.partition("@")[0]) if "@" in event_id else event_id


def stream_position(stream_id: StreamId) -> tuple[int, int]:
    """Stream ids compare as pairs of numbers, never as text.

    >>> stream_position(StreamId("9-1")) < stream_position(StreamId("10-0"))
    True
    """
    milliseconds, _, counter = stream_id.partition("-")
    return int(milliseconds), int(counter or 0)


def stream_id_before(stream_id: StreamId) -> StreamId:
    """The greatest id that is smaller, whether or not an entry has it.

    >>> stream_id_before(StreamId("9-1")), stream_id_before(StreamId("9-0"))
    ('9-0', '8-18446744073709551615')
    """
    milliseconds, counter = stream_position(stream_id)
    return StreamId(f"{milliseconds}-{counter - 1}" if counter else f"{milliseconds - 1}-{_LAST_COUNTER}")


def _escape(text: str) -> str:
    # `@` starts a copy's suffix, so ids that come from users must not bring one of their own.
    return text.replace("%", "%25").replace("@", "%40") if "%" in text or "@" in text else text
