"""Attempts: one delivery handled, gathered from its events.

Owns the shape, and which attempt a record without ids belongs to. `reading.py` makes them.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from operator import attrgetter
from typing import Final, TypeAlias

from msgspec import Struct

from relayna.events import (
    AggregationMessageReceived,
    Body,
    ConsumerDeadLetterPublished,
    ConsumerRetryScheduled,
    EventsLost,
    TaskHandlerFailed,
    TaskMessageAcked,
    TaskMessageReceived,
    TaskResourceSampled,
    WorkflowMessageReceived,
    WorkflowStageAcked,
    WorkflowStageFailed,
)
from relayna.events.vocabulary import EVENT_TYPES
from relayna.ids import AttemptId, EventId
from relayna.instants import Instant
from relayna.projections.few import Few
from relayna.projections.outcomes import RUNNING, Outcome
from relayna.projections.told_order import OrderKey, PlacedEvent

__all__ = [
    "AGGREGATION",
    "ANY_LANE",
    "Attempt",
    "Attempts",
    "DeliveryIdentity",
    "Line",
    "Received",
    "lane_of",
]

AGGREGATION: Final = "aggregation"
"""The lane of aggregation deliveries."""
ANY_LANE: Final = ""
"""The lane of records that do not say of which stage they are."""

_OF_TASKS_AND_STAGES: Final = (
    TaskHandlerFailed,
    TaskMessageAcked,
    ConsumerRetryScheduled,
    ConsumerDeadLetterPublished,
    WorkflowStageAcked,
    WorkflowStageFailed,
)
"""They are never told by a shard's consumer, which has words of its own."""
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
    cause: EventId | None = None
    """What the event that opened it names as what led to it, here or not."""
    caused_by: PlacedEvent | None = None
    """That event, where it is here."""
    identity: DeliveryIdentity | None = None
    """What it has in common with other deliveries of the same; none for a message without an id."""
    failed: PlacedEvent | None = None
    closing: PlacedEvent | None = None
    """What closed it; the last one, where there are several."""
    closings_before: Few[PlacedEvent] = ()
    """In our own records none; foreign ones may tell a retry and an ack."""
    told: int = 0
    """So many of its events are here, one after the other from its first one."""
    strays: Few[int] = ()
    """The numbers of its other events: where there are any, something is missing or out of order."""
    losses: Few[EventsLost] = ()
    repeated: int = 0
    """How often its delivery came again after it was closed."""
    samples: Few[TaskResourceSampled] = ()
    message_node: str | None = None
    """The node of the message whose delivery it handled; none outside workflows."""
    redelivered_after: bool = False
    """Its delivery was handed out again after it."""
    outcome: Outcome = RUNNING
    closed_at: Instant | None = None
    number: int = 0
    node_id: str = ""

    @property
    def closings(self) -> list[PlacedEvent]:
        """Everything that closed it, in order."""
        return [] if self.closing is None else [*self.closings_before, self.closing]

    @property
    def seqs(self) -> list[int]:
        """The numbers of the events that carry its id, in no order."""
        return [*range(self.told), *self.strays]

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

    def __init__(self, by_ref: Mapping[str, Attempt]) -> None:
        self.members: Sequence[Attempt] = sorted(by_ref.values(), key=attrgetter("key"))
        self.by_ref = by_ref

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
        if lane == ANY_LANE:
            both = isinstance(placed.event.body, _OF_TASKS_AND_STAGES)
            return (self._lines.of_tasks_and_stages if both else self._lines.all).newest(time)
        if lane == AGGREGATION:
            return self._in_lane(lane, time)
        return self.newest_of_stage(lane.removeprefix("stage:"), Instant(time))

    def newest_of_stage(self, stage: str, time: Instant) -> Attempt | None:
        """The newest attempt begun by that time that is of this stage, or of none that is known."""
        found = (self._in_lane(f"stage:{stage}", time), self._in_lane(ANY_LANE, time))
        return max((one for one in found if one), key=lambda attempt: attempt.key, default=None)

    def _in_lane(self, lane: str, time: int) -> Attempt | None:
        line = self._lines.lanes.get(lane)
        return None if line is None else line.newest(time)


def _lanes() -> Iterator[tuple[type[Struct], str]]:
    for body_type, _ in EVENT_TYPES:
        if body_type.__name__.startswith("Aggregation"):
            yield body_type, AGGREGATION
        elif "stage" not in body_type.__struct_fields__:
            yield body_type, ANY_LANE


_LANES: Final = dict(_lanes())
"""The lanes of those types of which all records have the same."""


def lane_of(body: Body) -> str:
    """Which attempts a record of this body can belong to."""
    lane = _LANES.get(type(body))
    if lane is not None:
        return lane
    stage = getattr(body, "stage", None)
    if stage is None and isinstance(body, WorkflowMessageReceived):
        stage = body.queue_name or "unknown"
    return f"stage:{stage}" if stage else ANY_LANE
