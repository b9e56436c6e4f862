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
    DeadLetterRecorded,
    DeadLetterReplayed,
    EventsLost,
    Opaque,
    StatusPublished,
)
from relayna.events.history import StreamFact
from relayna.ids import AttemptId, own_event_id
from relayna.projections.attempts import Attempt
from relayna.projections.outcomes import ABANDONED
from relayna.projections.task_run import TaskRun

__all__ = ["Gap", "has_observations", "known_gaps", "proved_to"]

Ranges: TypeAlias = list[tuple[int, int]]

_NOT_OBSERVATIONS: Final = (StatusPublished, DeadLetterRecorded, DeadLetterReplayed, Opaque, ChildFinished)


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
    return any(not isinstance(placed.event.body, _NOT_OBSERVATIONS) for placed in run.ordered)


def known_gaps(run: TaskRun, facts: Iterable[StreamFact]) -> list[Gap]:
    """Everything that this one task's history is known to be missing."""
    names = {fact.name for fact in facts}
    gaps = [Gap(reason=name, task_id=run.task_id) for name in ("trimmed", "limit_reached") if name in names]
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
    expected = 0
    for seq in sorted(set(attempt.seqs)):
        if seq != expected:
            break
        expected += 1
    return expected - 1 if expected else None


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
    heads = {attempt.ref for attempt in run.attempts.members if _lacks_head(run, attempt)}
    before_everything = _before_everything(run, heads)
    gaps: list[Gap] = []
    for attempt in run.attempts.members:
        if attempt.ref in heads:
            elsewhere = "head_missing" if attempt.ref in before_everything else "gap"
            detail = {"before": min(attempt.seqs, default=None)}
            reason = "trimmed" if trimmed else elsewhere
            gaps.append(Gap(reason=reason, task_id=run.task_id, attempt=attempt.ref, detail=detail))
        for first, last in _inner_holes(attempt):
            detail_of_hole = {"ranges": [[first, last]]}
            gaps.append(Gap(reason="gap", task_id=run.task_id, attempt=attempt.ref, detail=detail_of_hole))
    gaps += _lost_closings(run)
    return gaps


def _lacks_head(run: TaskRun, attempt: Attempt) -> bool:
    """Its first events are not there, or the event that led to it is not, and nobody confessed to that."""
    if not attempt.observed:
        return False
    if not attempt.seqs:
        return not attempt.losses
    first = min(attempt.seqs)
    if first > 0:
        return bool(_without([(0, first - 1)], _confessed(attempt.losses)))
    opened = attempt.opened
    cause = opened.event.envelope.cause if opened else None
    if cause is None or own_event_id(cause) in run.placed:
        return False
    # An attempt that is here itself tells on its own that its closing event is missing.
    return run.attempts.with_id(AttemptId(own_event_id(cause).rpartition(".")[0])) is None


def _before_everything(run: TaskRun, heads: set[str]) -> set[str]:
    """Those of `heads` before which the stream holds nothing that is whole."""
    found: set[str] = set()
    for placed in run.ordered:
        attempt_id = placed.event.envelope.attempt_id
        if attempt_id is None or attempt_id not in heads:
            break
        found.add(attempt_id)
    return found


def _inner_holes(attempt: Attempt) -> Ranges:
    holes: Ranges = []
    seqs = sorted(set(attempt.seqs))
    for earlier, later in pairwise(seqs):
        if later > earlier + 1:
            holes.append((earlier + 1, later - 1))
    return _without(holes, _confessed(attempt.losses))


def _lost_closings(run: TaskRun) -> list[Gap]:
    """A message that names a closing event as its cause proves that there was one."""
    gaps = []
    for attempt in run.attempts.members:
        cause = attempt.opened.event.envelope.cause if attempt.opened else None
        if cause is None or own_event_id(cause) in run.placed:
            continue
        earlier_id, _, number = own_event_id(cause).rpartition(".")
        earlier = run.attempts.with_id(AttemptId(earlier_id))
        if earlier is None or earlier.closings or not number.isdigit():
            continue
        seq = int(number)
        if _without([(seq, seq)], _confessed(earlier.losses)):
            gaps.append(
                Gap(reason="gap", task_id=run.task_id, attempt=earlier.ref, detail={"ranges": [[seq, seq]]})
            )
    return gaps


def _confessed(losses: Iterable[EventsLost]) -> Ranges:
    return sorted((first, last) for lost in losses for first, last in lost.seq_ranges if first <= last)


def _without(holes: Sequence[tuple[int, int]], covered: Ranges) -> Ranges:
    """The parts of the holes that nobody confessed to."""
    left: Ranges = []
    for first, last in holes:
        position = first
        for start, end in covered:
            if end < position or start > last:
                continue
            if start > position:
                left.append((position, start - 1))
            position = max(position, end + 1)
        if position <= last:
            left.append((position, last))
    return left
