from __future__ import annotations

import pytest
from hypothesis import given, settings
from projections.golden_histories import fan_in, retry_and_dead_letter
from projections.hostile_histories import histories
from projections.laws import fold, queries

from relayna.projections.execution import GraphQuery
from relayna.projections.projection import Item
from relayna.projections.registry import EXECUTION_PROJECTIONS
from relayna.projections.standing import Standing, standing_of
from relayna.testing import TaskHistory, history


def standing(items: list[Item], root: str, query: GraphQuery | None = None) -> Standing:
    projection = EXECUTION_PROJECTIONS[0]
    return standing_of(projection.finish(fold(projection, items, root), query or GraphQuery(depth=0)))


def test_a_task_that_was_given_up() -> None:
    told = standing(retry_and_dead_letter(), "order-7")
    assert (told.status, told.state) == ("failed", "failed")
    assert told.since == "2025-12-31T23:00:03+00:00"
    assert (told.attempts, told.failed_attempts, told.retries, told.dead_letters) == (2, 2, 1, 1)
    assert (told.running, told.waits_for) == ([], [])
    assert told.last_failure is not None
    # The first attempt's clock is right, the second one's an hour late.
    assert (told.last_failure.label, told.last_failure.outcome) == ("order-7 attempt 1", "retried")
    assert (told.last_failure.exception_type, told.last_failure.exception_message) == (
        "TimeoutError",
        "no answer",
    )


def test_a_task_that_waits_for_its_retry() -> None:
    items = history("order-7", tick=1).published().attempt().fails().retried(delay_ms=30_000).events
    told = standing([*items], "order-7")
    assert (told.status, told.state, told.running) == ("retrying", "retrying", [])
    (awaited,) = told.waits_for
    assert (awaited.kind, awaited.due_at) == ("retry", "2026-01-01T00:00:35+00:00")


def test_a_task_that_runs() -> None:
    attempt = history("order-7").published().attempt().status("half", message="500 of 1,000")
    told = standing([*attempt.events], "order-7")
    assert (told.status, told.message, told.state) == ("half", "500 of 1,000", "running")
    (running,) = told.running
    assert (running.label, running.queue_name, running.ref) == (
        "order-7 attempt 1",
        "work",
        attempt.attempt_id,
    )
    assert told.waits_for == []
    assert told.last_failure is None


def test_of_children_only_what_the_task_was_told() -> None:
    told = standing(fan_in(), "report")
    assert (told.children, told.children_ended, told.attempts) == (2, 1, 1)
    assert (told.graph_completeness, told.missing) == ("full", [])


def test_the_latest_status_is_the_last_that_happened() -> None:
    def run(task: TaskHistory) -> list[Item]:
        return [*task.published().attempt().fails().retried().attempt(skew=-3600).status("half").events]

    told = standing(run(history("order-7")), "order-7")
    assert told.status == "half"
    assert told.since is not None
    assert told.since < "2026-01-01"


def test_only_a_dead_letter_known() -> None:
    items = [one for one in retry_and_dead_letter() if "DeadLetterRecorded" in repr(one)]
    told = standing(items, "order-7")
    assert told.graph_completeness == "partial"
    assert told.last_failure is not None
    assert (told.last_failure.label, told.last_failure.reason) == ("retries_exhausted", "retries_exhausted")


@settings(max_examples=80)
@given(items=histories, query=queries)
def test_whatever_is_recorded_it_stands_somewhere(items: list[Item], query: GraphQuery) -> None:
    told = standing(items, "root", query)
    assert told.task_id == "root"
    assert len(told.running) <= told.attempts


@pytest.mark.parametrize("count", [0, 1])
def test_children_that_have_not_ended_are_waited_for(count: int) -> None:
    parent = history("report", lifecycle_statuses=False).published().attempt()
    for number in range(count):
        parent.spawns(f"page-{number}")
    told = standing([*parent.events], "report")
    assert [one.kind for one in told.waits_for] == ["child"] * count
