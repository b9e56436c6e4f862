"""Attempts: one delivery handled, gathered from its events.

Owns which events make an attempt, and which attempt a record without ids belongs to.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Final, TypeAlias

from msgspec import Struct, field

from relayna.events import (
    AggregationMessageReceived,
    Body,
    ConsumerDeadLetterPublished,
    ConsumerRetryScheduled,
    DeadLetterRecorded,
    DeliveryRepeated,
    EventsLost,
    TaskHandlerFailed,
    TaskMessageAcked,
    TaskMessageReceived,
    TaskResourceSampled,
    WorkflowMessageReceived,
    WorkflowStageAcked,
    WorkflowStageFailed,
)
from relayna.events.vocabulary import RECEIVED_TYPES
from relayna.ids import AttemptId
from relayna.instants import Instant
from relayna.projections.fact_ids import is_copy
from relayna.projections.ordering import OrderKey, PlacedEvent
from relayna.projections.outcomes import RUNNING, Outcome

__all__ = [
    "AGGREGATION",
    "Attempt",
    "Attempts",
    "DeliveryIdentity",
    "Line",
    "Received",
    "gather_attempts",
    "lane_of",
]

AGGREGATION: Final = "aggregation"
"""The lane of aggregation deliveries."""
_ANY: Final = ""

_OF_TASKS_AND_STAGES: Final = (
    TaskHandlerFailed,
    TaskMessageAcked,
    ConsumerRetryScheduled,
    ConsumerDeadLetterPublished,
    WorkflowStageAcked,
    WorkflowStageFailed,
)
"""They are never told by a shard's consumer, which has words of its own."""
_ABOUT_ATTEMPTS: Final = frozenset({DeadLetterRecorded, DeliveryRepeated, EventsLost})
"""They name an attempt but are not told by it."""

Received: TypeAlias = TaskMessageReceived | AggregationMessageReceived | WorkflowMessageReceived

DeliveryIdentity: TypeAlias = tuple[str, str | None, int, int]
"""What a delivery has in common with its redelivered copies: message, stage or queue, retry, replay."""


class Attempt(Struct, kw_only=True, gc=False):
    """One delivery handled, or as much of it as is known."""

    ref: str
    """The attempt's id; for records without ids, the id of the record that opened it."""
    key: OrderKey
    """Place of the event that opened it, else of its earliest known one."""
    begun: Instant
    """The raw time of that event."""
    lane: str
    """Records without ids belong to attempts of their own lane: `stage:NAME`, `aggregation` or any."""
    observed: bool
    """Its events carry its id; otherwise its parts are put together by time."""
    only_told_of: bool = True
    """Nothing that it told itself is here."""
    opened: PlacedEvent | None = None
    received: Received | None = None
    """What its delivery was, when that is known."""
    identity: DeliveryIdentity | None = None
    """What it has in common with other deliveries of the same; none for a message without an id."""
    failed: PlacedEvent | None = None
    closings: list[PlacedEvent] = field(default_factory=list)
    """In our own records at most one; foreign ones may tell a retry and an ack."""
    seqs: list[int] = field(default_factory=list)
    """The numbers of the events that carry its id, in order of the numbers' events."""
    losses: list[EventsLost] = field(default_factory=list)
    repeated: int = 0
    """How often its delivery came again after it was closed."""
    samples: list[TaskResourceSampled] = field(default_factory=list)
    outcome: Outcome = RUNNING
    closed_at: Instant | None = None
    number: int = 0
    node_id: str = ""

    @property
    def stage(self) -> str | None:
        """The workflow stage, when it is one's."""
        return self.lane.removeprefix("stage:") if self.lane.startswith("stage:") else None


class Line:
    """Attempts in the order in which they began, found by time."""

    def __init__(self) -> None:
        self._begun: list[int] = []
        self._members: list[Attempt] = []

    def append(self, attempt: Attempt) -> None:
        """One more, begun no earlier than those before."""
        self._begun.append(attempt.key[0])
        self._members.append(attempt)

    def newest(self, time: int) -> Attempt | None:
        """The last one begun by that corrected time."""
        position = bisect.bisect_right(self._begun, time)
        return self._members[position - 1] if position else None


class _Lines:
    """A task's attempts in order, all and by lane."""

    def __init__(self, members: Iterable[Attempt]) -> None:
        self.all = Line()
        self.of_tasks_and_stages = Line()
        self.lanes: dict[str, Line] = {}
        for attempt in members:
            self.all.append(attempt)
            if attempt.lane != AGGREGATION:
                self.of_tasks_and_stages.append(attempt)
            self.lanes.setdefault(attempt.lane, Line()).append(attempt)


class Attempts:
    """A task's attempts in order, found by id or by time."""

    def __init__(self, members: Iterable[Attempt]) -> None:
        self.members: Sequence[Attempt] = sorted(members, key=lambda attempt: attempt.key)
        self.by_ref = {attempt.ref: attempt for attempt in self.members}

    @cached_property
    def _lines(self) -> _Lines:
        # Only records without ids are attributed by time; histories of our own have none.
        return _Lines(self.members)

    def with_id(self, attempt_id: AttemptId | None) -> Attempt | None:
        """The attempt of that id."""
        return None if attempt_id is None else self.by_ref.get(attempt_id)

    def newest_begun(self, placed: PlacedEvent) -> Attempt | None:
        """The newest attempt begun by then that the record can belong to, by its lane."""
        lane, time = lane_of(placed.event.body), placed.key[0]
        if lane == _ANY:
            both = isinstance(placed.event.body, _OF_TASKS_AND_STAGES)
            return (self._lines.of_tasks_and_stages if both else self._lines.all).newest(time)
        if lane == AGGREGATION:
            return self._in_lane(lane, time)
        return self.newest_of_stage(lane.removeprefix("stage:"), Instant(time))

    def newest_of_stage(self, stage: str, time: Instant) -> Attempt | None:
        """The newest attempt begun by that time that is of this stage, or of none that is known."""
        found = (self._in_lane(f"stage:{stage}", time), self._in_lane(_ANY, time))
        return max((one for one in found if one), key=lambda attempt: attempt.key, default=None)

    def _in_lane(self, lane: str, time: int) -> Attempt | None:
        line = self._lines.lanes.get(lane)
        return None if line is None else line.newest(time)


def lane_of(body: Body) -> str:
    """Which attempts a record of this body can belong to."""
    name = type(body).__name__
    if name.startswith("Aggregation"):
        return AGGREGATION
    stage = getattr(body, "stage", None)
    if stage is None and isinstance(body, WorkflowMessageReceived):
        stage = body.queue_name or "unknown"
    return f"stage:{stage}" if stage else _ANY


def gather_attempts(ordered: Iterable[PlacedEvent]) -> Attempts:
    """The attempts of one task; `ordered` is its events in order."""
    found: dict[str, Attempt] = {}
    for placed in ordered:
        envelope = placed.event.envelope
        if envelope.attempt_id is None:
            body = placed.event.body
            if isinstance(body, RECEIVED_TYPES):
                attempt = _first_seen(placed, placed.own_id, observed=False)
                found[attempt.ref] = attempt
                _open(attempt, placed, body)
        elif not is_copy(envelope):  # else it is told here about another task's attempt
            known = found.get(envelope.attempt_id)
            if known is None:
                known = found[envelope.attempt_id] = _first_seen(placed, envelope.attempt_id, observed=True)
            _take(known, placed)
    return Attempts(found.values())


def _first_seen(placed: PlacedEvent, ref: str, *, observed: bool) -> Attempt:
    return Attempt(ref=ref, key=placed.key, begun=placed.time, lane=_ANY, observed=observed)


def _take(attempt: Attempt, placed: PlacedEvent) -> None:
    body, seq = placed.event.body, placed.event.envelope.seq
    if seq is not None:
        attempt.seqs.append(seq)
    if type(body) not in _ABOUT_ATTEMPTS:
        attempt.only_told_of = False
    if attempt.opened is None:
        if isinstance(body, RECEIVED_TYPES):
            _open(attempt, placed, body)
        elif attempt.lane == _ANY:
            attempt.lane = lane_of(body)


def _open(attempt: Attempt, placed: PlacedEvent, received: Received) -> None:
    attempt.opened, attempt.key, attempt.begun = placed, placed.key, placed.time
    attempt.lane, attempt.only_told_of = lane_of(received), False
    attempt.received = received
    if received.message_id is not None:
        place = received.queue_name
        if isinstance(received, WorkflowMessageReceived):
            place = received.stage or place
        attempt.identity = (received.message_id, place, received.retry_attempt, received.replay_count)
