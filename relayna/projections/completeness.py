"""What a task's history is known to be missing, and how that is known.

Per-attempt numbers make "nothing is missing" provable: an attempt's events are 0, 1, 2… up to the one that
closes it. Owns the reasons; judges the whole history, whatever moment is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Final, TypeAlias

from msgspec import Struct, field

from relayna.events import (
    ChildFinished,
    ChildRegistered,
    DeadLetterRecorded,
    DeadLetterReplayClaimed,
    DeadLetterReplayed,
    DeliveryRepeated,
    EventsLost,
    Opaque,
    OperatorActed,
    OutputRecorded,
    RunEdgeRecorded,
    SpanEnded,
    StatusPublished,
)
from relayna.events.history import StreamFact
from relayna.ids import EventId
from relayna.projections.attempts import Attempt
from relayna.projections.dangling import dangling_facts
from relayna.projections.fact_ids import attempt_named_by
from relayna.projections.ordering import PlacedEvent
from relayna.projections.outcomes import ABANDONED
from relayna.projections.task_run import TaskRun

__all__ = ["Gap", "has_observations", "known_gaps", "proved_to"]

Ranges: TypeAlias = list[tuple[int, int]]

_LONGEST_SEQ: Final = 19
"""Digits of a number that fits in 64 bits; longer ones are no numbers of ours."""

_DEAD_LETTERS: Final = (DeadLetterRecorded, DeadLetterReplayed, DeadLetterReplayClaimed)
_NOT_OBSERVATIONS: Final = (StatusPublished, *_DEAD_LETTERS, Opaque, ChildFinished, OperatorActed)
_OF_ATTEMPTS: Final = (StatusPublished, ChildRegistered, RunEdgeRecorded, SpanEnded, OutputRecorded)
"""They are observations when an attempt told them."""
_FROM_OUTSIDE: Final = (
    *_NOT_OBSERVATIONS, ChildRegistered, RunEdgeRecorded, DeliveryRepeated, EventsLost, SpanEnded, OutputRecorded,
)  # fmt: skip
"""Others may tell them in a stream whose own beginning is gone."""


class Gap(Struct, frozen=True, kw_only=True, gc=False):
    """One thing that is known to be missing."""

    reason: str
    task_id: str
    attempt: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)  # Any: JSON values

    def shown(self) -> dict[str, Any]:
        """As the answer lists it."""
        named = {"reason": self.reason, "task_id": self.task_id, "attempt": self.attempt, **self.detail}
        return {name: value for name, value in named.items() if value is not None}


def has_observations(run: TaskRun) -> bool:
    """Whether a worker told anything, beside statuses and dead letters."""
    return any(map(_is_observation, run.ordered))


def _is_observation(placed: PlacedEvent) -> bool:
    body, attempt_id = placed.event.body, placed.event.envelope.attempt_id
    if isinstance(
        body, _OF_ATTEMPTS
    ):  # else a store's record, a reference that a child's record left, or uploaded
        return attempt_id is not None
    return not isinstance(body, _NOT_OBSERVATIONS)


def known_gaps(run: TaskRun, facts: Iterable[StreamFact]) -> list[Gap]:
    """Everything that this one task's history is known to be missing."""
    names = {fact.name for fact in facts}
    gaps = [Gap(reason=name, task_id=run.task_id) for name in ("trimmed", "limit_reached") if name in names]
    if not run.ordered:
        return gaps
    if run.losses:
        gaps += _reported(run)
    gaps += _holes(run, trimmed="trimmed" in names)
    gaps += [
        Gap(reason="unclosed", task_id=run.task_id, attempt=attempt.ref)
        for attempt in run.attempts.members
        if attempt.outcome is ABANDONED
    ]
    for placed in run.opaque:
        body = placed.event.body
        if isinstance(body, Opaque):
            detail = {"event_id": placed.own_id, "type": body.type_name}
            gaps.append(Gap(reason=body.reason, task_id=run.task_id, detail=detail))
    if run.circular:
        gaps.append(Gap(reason="cycle", task_id=run.task_id))
    return gaps


def proved_to(attempt: Attempt) -> int | None:
    """The last number up to which no event of the attempt is missing; none when its first one is."""
    if attempt.told and not attempt.strays:  # it is whole
        return attempt.told - 1
    expected = 0
    for seq in sorted(set(attempt.seqs)):
        if seq != expected:
            break
        expected += 1
    return expected - 1 if expected else None


def _is_whole(attempt: Attempt) -> bool:
    """Every event that it told up to the last one is here: the common case, and cheap to see."""
    return attempt.told > 0 and not attempt.strays


def _reported(run: TaskRun) -> list[Gap]:
    gaps = []
    for placed in run.losses:
        body = placed.event.body
        if isinstance(body, EventsLost):
            detail = {
                "count": body.count,
                "cause": body.reason,
                "ranges": [list(pair) for pair in body.seq_ranges],
            }
            attempt_id = placed.event.envelope.attempt_id
            gaps.append(Gap(reason="reported_loss", task_id=run.task_id, attempt=attempt_id, detail=detail))
    return gaps


def _holes(run: TaskRun, *, trimmed: bool) -> list[Gap]:
    broken = [attempt for attempt in run.attempts.members if attempt.strays or not attempt.told]
    causeless = _without_their_cause(run)
    heads, explained = (
        _heads_missing(run, broken, causeless) if broken or causeless or run.losses else (set(), 0)
    )
    dangling = dangling_facts(run, observed=has_observations(run))[explained:]
    if not (broken or causeless or dangling):
        return []
    before_everything = _before_everything(run, heads) if heads or dangling else set()
    gaps: list[Gap] = []
    for placed in dangling:
        elsewhere = "head_missing" if placed.own_id in before_everything else "gap"
        reason = "trimmed" if trimmed else elsewhere
        gaps.append(Gap(reason=reason, task_id=run.task_id, detail={"named_by": placed.own_id}))
    for attempt in run.attempts.members if heads or broken else ():
        if attempt.ref in heads:
            elsewhere = "head_missing" if attempt.ref in before_everything else "gap"
            detail = {"before": min(attempt.seqs, default=None)}
            reason = "trimmed" if trimmed else elsewhere
            gaps.append(Gap(reason=reason, task_id=run.task_id, attempt=attempt.ref, detail=detail))
        for first, last in _inner_holes(attempt):
            detail_of_hole = {"ranges": [[first, last]]}
            gaps.append(Gap(reason="gap", task_id=run.task_id, attempt=attempt.ref, detail=detail_of_hole))
    gaps += _lost_closings(run, causeless)
    return gaps


def _confessed_outside(run: TaskRun) -> int:
    """How many events were lost outside any attempt: they have no number, each explains one that is missing."""
    return sum(
        max(1, placed.event.body.count)
        for placed in run.losses
        if isinstance(placed.event.body, EventsLost) and placed.event.envelope.attempt_id is None
    )


def _without_their_cause(run: TaskRun) -> list[tuple[Attempt, EventId]]:
    """Attempts that name an event that is not here as what led to them, with its id."""
    return [
        (attempt, attempt.cause)
        for attempt in run.attempts.members
        if attempt.cause is not None and attempt.caused_by is None
    ]


def _heads_missing(
    run: TaskRun, broken: Iterable[Attempt], causeless: Iterable[tuple[Attempt, EventId]]
) -> tuple[set[str], int]:
    """Attempts whose first events are not there, or the event that led to them, and nobody confessed to it.

    And how many of those events that were confessed to outside attempts explain none of them.
    """
    confessed = _confessed_outside(run)
    heads = {attempt.ref for attempt in broken if _lacks_own_head(attempt)}
    for attempt, cause in causeless:
        if attempt.ref not in heads and _lacks_cause(run, attempt, cause):
            if confessed > 0:
                confessed -= 1
            else:
                heads.add(attempt.ref)
    return heads, confessed


def _lacks_own_head(attempt: Attempt) -> bool:
    if not attempt.observed:
        return False
    if not attempt.seqs:  # foreign records may carry ids without numbers; what only others tell of is missing
        return attempt.only_told_of and not attempt.losses
    first = min(attempt.seqs)
    return first > 0 and bool(_without([(0, first - 1)], _confessed(attempt.losses)))


def _lacks_cause(run: TaskRun, attempt: Attempt, cause: EventId) -> bool:
    # An attempt that is here itself tells on its own that its closing event is missing.
    return attempt.told > 0 and run.attempts.with_id(attempt_named_by(cause)) is None


def _before_everything(run: TaskRun, heads: set[str]) -> set[str]:
    """Those of `heads`, and the facts from outside, before which the stream holds nothing that is whole."""
    found: set[str] = set()
    for placed in run.ordered:
        attempt_id = placed.event.envelope.attempt_id
        if attempt_id is not None and attempt_id in heads:
            found.add(attempt_id)
        elif attempt_id is not None or not isinstance(placed.event.body, _FROM_OUTSIDE):
            break
        else:
            found.add(placed.own_id)
    return found


def _inner_holes(attempt: Attempt) -> Ranges:
    if _is_whole(attempt):
        return []
    holes: Ranges = []
    seqs = sorted(set(attempt.seqs))
    for earlier, later in pairwise(seqs):
        if later > earlier + 1:
            holes.append((earlier + 1, later - 1))
    return _without(holes, _confessed(attempt.losses))


def _lost_closings(run: TaskRun, causeless: Iterable[tuple[Attempt, EventId]]) -> list[Gap]:
    """A message that names a closing event as its cause proves that there was one."""
    proved: dict[str, int] = {}
    for _, cause in causeless:
        number = cause.rpartition(".")[2]
        earlier = run.attempts.with_id(attempt_named_by(cause))
        if (
            earlier is not None
            and earlier.closing is None
            and number.isdecimal()
            and len(number) < _LONGEST_SEQ
        ):
            proved[earlier.ref] = max(proved.get(earlier.ref, 0), int(number))
    gaps = []
    for ref, last in proved.items():
        attempt = run.attempts.by_ref[ref]
        first = max(attempt.seqs, default=-1) + 1
        for hole in _without([(first, last)] if first <= last else [], _confessed(attempt.losses)):
            gaps.append(Gap(reason="gap", task_id=run.task_id, attempt=ref, detail={"ranges": [list(hole)]}))
    return gaps


def _confessed(losses: Iterable[EventsLost]) -> Ranges:
    """The lost ranges in order, those that touch joined."""
    joined: Ranges = []
    for first, last in sorted((first, last) for lost in losses for first, last in lost.seq_ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        elif first <= last:
            joined.append((first, last))
    return joined


def _without(holes: Sequence[tuple[int, int]], covered: Ranges) -> Ranges:
    """The parts of the holes that nobody confessed to; both in order, neither overlapping itself."""
    left: Ranges = []
    passed = 0
    for first, last in holes:
        position = first
        while passed < len(covered) and covered[passed][0] <= last:
            start, end = covered[passed]
            if start > position:
                left.append((position, start - 1))
            position = max(position, end + 1)
            if end > last:
                break  # it may reach into the next hole
            passed += 1
        if position <= last:
            left.append((position, last))
    return left
