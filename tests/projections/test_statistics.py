"""A task's share of the statistics, and the arithmetic of buckets."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from relayna.events import RecordedEvent
from relayna.ids import EventId, TaskId
from relayna.projections.gathering import gather_task_run
from relayna.projections.statistics import (
    LONGEST_MS,
    MICROSECONDS_A_DAY,
    AttemptCount,
    bucket_bound,
    bucket_counts,
    counts_of_attempts,
    quantile_bound,
)
from relayna.testing import history
from relayna.testing.scribe import START

TODAY = START // MICROSECONDS_A_DAY


def counts(events: list[RecordedEvent]) -> list[AttemptCount]:
    by_id = {EventId(event.envelope.event_id): event for event in events}
    return counts_of_attempts(gather_task_run(TaskId("T"), by_id))


def told(events: list[RecordedEvent], day: int = TODAY) -> dict[str, int]:
    return {one.measure: one.count for one in counts(events) if one.day == day}


def test_how_attempts_went() -> None:
    attempt = history("T", tick=0).published().attempt().after(0.1).fails().retried(delay_ms=500).after(0.5)
    attempt = attempt.attempt().released().attempt().fails().dead_lettered().replayed().after(0.009).attempt()
    assert told(attempt.after(0.02).acked().events) == {
        "attempts": 4, "succeeded": 1, "failed": 2, "retried": 1, "dead_lettered": 1, "abandoned": 1,
        "waits": 4, "wait_ms": 9, "wait_le.0": 3, "wait_le.10": 1,
        "durations": 4, "duration_ms": 120, "duration_le.0": 2, "duration_le.20": 1, "duration_le.112": 1,
    }  # fmt: skip


def test_each_on_the_day_of_its_beginning_and_with_those_like_it() -> None:
    task = history("T").enters("ingest")
    attempt = task.attempt()
    following = attempt.sends("store")
    attempt.after(86_400).acked()
    events = task.attempt(following).acked().events
    assert {(one.day, one.group.stage) for one in counts(events)} == {(TODAY, "ingest"), (TODAY + 1, "store")}


def test_they_come_in_order() -> None:
    listed = counts(history("T").published().attempt().fails().retried().attempt().acked().events)
    assert [one.measure for one in listed] == sorted(one.measure for one in listed)


@given(st.integers(-10, 2**40))
def test_a_bucket_reaches_at_most_a_quarter_too_far(milliseconds: int) -> None:
    bound = bucket_bound(milliseconds)
    exact = min(max(milliseconds, 0), LONGEST_MS)
    assert exact <= bound <= exact * 1.25
    assert bucket_bound(bound) == bound


def test_there_are_few_buckets() -> None:
    bounds = {bucket_bound(milliseconds) for milliseconds in range(100_000)}
    assert len(bounds) < 70


@given(st.lists(st.integers(0, 100_000), min_size=1), st.sampled_from([1, 50, 90, 99, 100]))
def test_so_many_percent_lie_below(values: list[int], percent: int) -> None:
    buckets = Counter(map(bucket_bound, values))
    bound = quantile_bound(buckets, percent)
    assert bound is not None
    assert sum(value <= bound for value in values) * 100 >= percent * len(values)
    below = [one for one in buckets if one < bound]
    assert sum(buckets[one] for one in below) * 100 < percent * len(values)


def test_of_nothing_there_is_no_share() -> None:
    assert quantile_bound({}, 50) is None


def test_buckets_are_found_among_the_measures() -> None:
    measures = {"wait_le.10": 3, "duration_le.10": 4, "wait_le.odd": 1, "waits": 9}
    assert bucket_counts("wait", measures) == {10: 3}
