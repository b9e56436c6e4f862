"""Attempts: one delivery handled, gathered from its events.

Owns which events make an attempt, and which attempt a record without ids belongs to.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec import Struct, field

from relayna.events import (
    AggregationMessageReceived,
    Body,
    EventsLost,
    TaskMessageReceived,
    TaskResourceSampled,
    WorkflowMessageReceived,
)
from relayna.events.vocabulary import RECEIVED_TYPES
from relayna.ids import AttemptId
from relayna.instants import Instant
from relayna.projections.ordering import OrderKey, PlacedEvent
from relayna.projections.outcomes import RUNNING, Outcome

__all__ = ["Attempt", "Attempts", "gather_attempts", "lane_of"]

_AGGREGATION: Final = "aggregation"
_ANY: Final = ""


class Attempt(Struct, kw_only=True, gc=False):
    """One delivery handled, or as much of it as is known."""

    ref: str
    """The attempt's id; for records without ids, the id of the record that opened it."""
    key: OrderKey
    """Place of its earliest known event."""
    lane: str
    """Records without ids belong to attempts of their own lane: `stage:NAME`, `aggregation` or any."""
    observed: bool
    """Its events carry its id; otherwise its parts are put together by time."""
    opened: PlacedEvent | None = None
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

    def received(self) -> TaskMessageReceived | AggregationMessageReceived | WorkflowMessageReceived | None:
        """What its delivery was, when that is known."""
        body = self.opened.event.body if self.opened else None
        return body if isinstance(body, RECEIVED_TYPES) else None


class Attempts:
    """A task's attempts in order, found by id or by time."""

    def __init__(self, members: Iterable[Attempt]) -> None:
        self.members: Sequence[Attempt] = sorted(members, key=lambda attempt: attempt.key)
        self.by_ref = {attempt.ref: attempt for attempt in self.members}
        self._lanes: dict[str, tuple[list[int], list[Attempt]]] = {}

    def with_id(self, attempt_id: AttemptId | None) -> Attempt | None:
        """The attempt of that id."""
        return None if attempt_id is None else self.by_ref.get(attempt_id)

    def newest_begun(self, placed: PlacedEvent) -> Attempt | None:
        """The newest attempt begun by then that the record can belong to, by its lane."""
        begun, members = self._lane(lane_of(placed.event.body))
        position = bisect.bisect_right(begun, placed.key[0])
        return members[position - 1] if position else None

    def newest_of_stage(self, stage: str, time: Instant) -> Attempt | None:
        """The newest attempt of that stage begun by that time."""
        begun, members = self._lane(f"stage:{stage}")
        position = bisect.bisect_right(begun, time)
        return members[position - 1] if position else None

    def _lane(self, lane: str) -> tuple[list[int], list[Attempt]]:
        if lane not in self._lanes:
            fits = _fits(lane)
            members = [attempt for attempt in self.members if fits(attempt.lane)]
            self._lanes[lane] = ([attempt.key[0] for attempt in members], members)
        return self._lanes[lane]


def _fits(lane: str) -> Callable[[str], bool]:
    # When only one of record and attempt names a stage, they may belong together.
    if lane == _ANY:
        return lambda _: True
    return lambda other: other in (lane, _ANY) if lane != _AGGREGATION else other == lane


def lane_of(body: Body) -> str:
    """Which attempts a record of this body can belong to."""
    name = type(body).__name__
    if name.startswith("Aggregation"):
        return _AGGREGATION
    stage = getattr(body, "stage", None)
    if stage is None and isinstance(body, WorkflowMessageReceived):
        stage = getattr(body, "queue_name", None) or "unknown"
    return f"stage:{stage}" if stage else _ANY


def gather_attempts(ordered: Iterable[PlacedEvent]) -> Attempts:
    """The attempts of one task; `ordered` is its events in order."""
    found: dict[str, Attempt] = {}
    for placed in ordered:
        envelope, body = placed.event.envelope, placed.event.body
        opens = isinstance(body, RECEIVED_TYPES)
        if envelope.attempt_id is None:
            if opens:
                found[placed.own_id] = Attempt(
                    ref=placed.own_id, key=placed.key, lane=lane_of(body), observed=False, opened=placed
                )
            continue
        if "@" in envelope.event_id:
            continue  # told here about another task's attempt
        attempt = found.get(envelope.attempt_id)
        if attempt is None:
            attempt = Attempt(ref=envelope.attempt_id, key=placed.key, lane=_ANY, observed=True)
            found[attempt.ref] = attempt
        if attempt.lane == _ANY:
            attempt.lane = lane_of(body)
        if envelope.seq is not None:
            attempt.seqs.append(envelope.seq)
        if opens and attempt.opened is None:
            attempt.opened = placed
    return Attempts(found.values())
