"""Counts of attempts by day, queue, stage and handler: a task's share of them, and how shares add up.

Owns what is counted, and the buckets of waits and durations. All of it is whole numbers that are added and
taken away, so sums over any tasks are exact, in whatever order they were made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from relayna.instants import UNTIMED, milliseconds_between
from relayna.projections.attempt_nodes import attempt_state, due_at
from relayna.projections.attempts import Attempt
from relayna.projections.task_run import TaskRun

__all__ = [
    "AttemptCount",
    "AttemptGroup",
    "LONGEST_MS",
    "MICROSECONDS_A_DAY",
    "bucket_bound",
    "bucket_counts",
    "counts_of_attempts",
    "quantile_bound",
]

MICROSECONDS_A_DAY: Final = 86_400_000_000

LONGEST_MS: Final = 2**36
"""About two years: longer waits and durations, of damaged times mostly, count as so long."""


class AttemptGroup(Struct, frozen=True, kw_only=True, gc=False):
    """Attempts that have these in common; None where they do not tell."""

    queue_name: str | None = None
    stage: str | None = None
    consumer_name: str | None = None
    """The handler, by the name of its consumer."""


class AttemptCount(Struct, frozen=True, kw_only=True, gc=False):
    """One number: of the attempts of this group that began on this day."""

    day: int
    """Days since 1970-01-01, UTC."""
    group: AttemptGroup
    measure: str
    """`attempts`, `succeeded`, `failed` (whatever became of them), `retried`, `dead_lettered`, `abandoned`; `waits`
    and `durations` that are known, `wait_ms` and `duration_ms` their sums, `wait_le.N` and `duration_le.N` how many
    lie in the bucket of up to N milliseconds."""
    count: int


def counts_of_attempts(run: TaskRun) -> list[AttemptCount]:
    """The task's share, in order. Attempts without a time are of no day and are left out."""
    totals: Counter[tuple[int, AttemptGroup, str]] = Counter()
    for attempt in run.attempts.members:
        if attempt.begun == UNTIMED:
            continue
        day, group = attempt.begun // MICROSECONDS_A_DAY, _group(attempt)
        for measure, count in _measures(attempt):
            totals[day, group, measure] += count
    return sorted(
        (
            AttemptCount(day=day, group=group, measure=measure, count=count)
            for (day, group, measure), count in totals.items()
            if count
        ),
        key=_place,
    )


def bucket_bound(milliseconds: int) -> int:
    """The upper bound of the bucket in which it lies: four to each doubling, so at most a quarter above.

    >>> [bucket_bound(one) for one in (0, 7, 9, 16, 17, 1000)]
    [0, 7, 10, 16, 20, 1024]
    """
    milliseconds = min(max(milliseconds, 0), LONGEST_MS)
    if milliseconds <= 8:
        return milliseconds
    step = 1 << ((milliseconds - 1).bit_length() - 3)
    return -(-milliseconds // step) * step


def bucket_counts(kind: str, counted: Mapping[str, int]) -> dict[int, int]:
    """By bound, the counts of the buckets among these measures; `kind` is `wait` or `duration`."""
    beginning = f"{kind}_le."
    bounds = {name: name.removeprefix(beginning) for name in counted if name.startswith(beginning)}
    return {int(bound): counted[name] for name, bound in bounds.items() if bound.isdecimal()}


def quantile_bound(buckets: Mapping[int, int], percent: int) -> int | None:
    """The bound up to which so many percent of all lie, by buckets' bounds; None of nothing.

    >>> quantile_bound({10: 1, 20: 8, 1024: 1}, 50)
    20
    """
    wanted = percent * sum(buckets.values())
    passed = 0
    for bound in sorted(buckets):
        passed += buckets[bound] * 100
        if passed and passed >= wanted:
            return bound
    return None


def _group(attempt: Attempt) -> AttemptGroup:
    received = attempt.received
    return AttemptGroup(
        queue_name=received.queue_name if received else None,
        stage=attempt.stage,
        consumer_name=received.consumer_name if received else None,
    )


def _measures(attempt: Attempt) -> Iterator[tuple[str, int]]:
    state, outcome = attempt_state(attempt), attempt.outcome.name
    yield "attempts", 1
    if state in ("succeeded", "abandoned"):
        yield state, 1
    if state in ("failed", "dead_lettered"):
        yield "failed", 1
    if outcome in ("retried", "dead_lettered"):
        yield outcome, 1
    due = due_at(attempt)
    if due is not None:
        yield from _span("wait", milliseconds_between(due, attempt.begun))
    if attempt.closed_at is not None and attempt.closed_at != UNTIMED:
        yield from _span("duration", milliseconds_between(attempt.begun, attempt.closed_at))


def _span(kind: str, milliseconds: int) -> Iterator[tuple[str, int]]:
    yield f"{kind}s", 1
    yield f"{kind}_ms", min(milliseconds, LONGEST_MS)
    yield f"{kind}_le.{bucket_bound(milliseconds)}", 1


def _place(count: AttemptCount) -> tuple[int, str, str, str, str]:
    group = count.group
    return count.day, group.queue_name or "", group.stage or "", group.consumer_name or "", count.measure
