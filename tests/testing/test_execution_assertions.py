"""What a test can say of an execution, and what it is told when that is not so."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from testing.pytest_runs import run_pytest

from relayna.errors import RelaynaError
from relayna.events import RecordedEvent
from relayna.projections.graph import ExecutionGraph
from relayna.testing import ExecutionAssertions, NotAsExpected, assert_execution, given, history


def graph_of(events: list[RecordedEvent]) -> ExecutionGraph:
    answer = given(events).when().answer
    assert isinstance(answer, ExecutionGraph)
    return answer


def retried() -> ExecutionGraph:
    """Fails once, then works; its child works at once."""
    task = history("T")
    first = task.published().attempt()
    child = first.spawns("C")
    first.fails("TimeoutError", "no answer within 1 s").retried()
    child.attempt().acked()
    return graph_of(task.attempt().status("halfway").acked().events)


def given_up() -> ExecutionGraph:
    """Its ack was lost once, then it was given up; it says nothing of what was lost."""
    attempt = history("T").published().attempt().loses(2, confessed=True)
    return graph_of(
        attempt.fails("ValueError", "no picture").dead_lettered("not_retryable").repeated().events
    )


def workflow() -> ExecutionGraph:
    """Three stages, of which the second is tried twice."""
    task = history("W")
    first = task.enters("validate").attempt()
    to_charge = first.sends("charge")
    first.acked()
    again = task.attempt(to_charge).fails("PaymentDeclined").retried().attempt()
    to_ship = again.sends("ship")
    again.acked()
    return graph_of(task.attempt(to_ship).acked().events)


RETRIED, GIVEN_UP, WORKFLOW = retried(), given_up(), workflow()

HOLD: list[Callable[[], ExecutionAssertions]] = [
    lambda: assert_execution(RETRIED).ended().ended("completed").attempts(2).retried(1),
    lambda: assert_execution(RETRIED).statuses(
        "processing", "retrying", "processing", "halfway", "completed"
    ),
    lambda: assert_execution(RETRIED).in_order("attempt 1", "retrying", "retry 1", "attempt 2", "completed"),
    lambda: (
        assert_execution(RETRIED).failed_with("TimeoutError").failed_with("TimeoutError", message="within")
    ),
    lambda: assert_execution(RETRIED).not_dead_lettered().has_no_anomalies().is_complete(),
    lambda: assert_execution(RETRIED).children(1).has_child("C").has_child("C", state="succeeded"),
    lambda: assert_execution(RETRIED).of("C").ended("completed").attempts(1).retried(0).children(0),
    lambda: assert_execution(RETRIED).satisfies(lambda graph: len(graph.nodes) > 3, "more than three nodes"),
    lambda: assert_execution(GIVEN_UP).ended("failed").dead_lettered().dead_lettered(times=1),
    lambda: assert_execution(GIVEN_UP).dead_lettered(reason="not_retryable").has_anomaly("lost_ack"),
    lambda: assert_execution(GIVEN_UP).caused_by("ValueError").caused_by("ValueError", task_id="T"),
    lambda: assert_execution(GIVEN_UP).is_partial().is_partial("reported_loss"),
    lambda: assert_execution(WORKFLOW).hops("validate", "charge", "ship").attempts(4),
    lambda: assert_execution(WORKFLOW).attempts(2, stage="charge").attempts(1, stage="ship"),
    lambda: assert_execution(WORKFLOW).in_order("validate", "charge", "charge", "ship"),
]

FAIL: list[tuple[Callable[[], ExecutionAssertions], str]] = [
    (lambda: assert_execution(RETRIED).ended("failed"), "'T' to have ended as 'failed', but its latest status is 'completed'"),
    (lambda: assert_execution(graph_of(history("T").published().events)).ended(), "'T' to have ended, but it has no status"),
    (lambda: assert_execution(RETRIED).attempts(3), "'T' to have 3 attempts, but it has 2"),
    (lambda: assert_execution(WORKFLOW).attempts(1, stage="charge"), "'W' to have 1 attempt at stage 'charge', but it has 2"),
    (lambda: assert_execution(RETRIED).retried(0), "'T' to have no retries, but it has 1"),
    (lambda: assert_execution(RETRIED).statuses("completed"), "'T' to have the statuses 'completed', but there is 'processing', 'retrying'"),
    (lambda: assert_execution(RETRIED).in_order("attempt 2", "retry 1"), "in 'T', in order, 'attempt 2', 'retry 1', but there was 'attempt 1'"),
    (lambda: assert_execution(RETRIED).failed_with("ValueError"), "a handler of 'T' to raise ValueError, but they raised 'TimeoutError: no answer within 1 s'"),
    (lambda: assert_execution(RETRIED).failed_with("TimeoutError", message="soon"), "to raise TimeoutError saying 'soon', but"),
    (lambda: assert_execution(RETRIED).of("C").failed_with("ValueError"), "a handler of 'C' to raise ValueError, but none raised anything"),
    (lambda: assert_execution(RETRIED).dead_lettered(), "'T' to have a dead letter, but it has none"),
    (lambda: assert_execution(GIVEN_UP).dead_lettered(reason="expired"), "'T' to have a dead letter with reason 'expired', but it has 'not_retryable'"),
    (lambda: assert_execution(GIVEN_UP).dead_lettered(times=2), "'T' to have 2 dead letters, but it has 'not_retryable'"),
    (lambda: assert_execution(GIVEN_UP).not_dead_lettered(), "'T' to have no dead letters, but it has 1"),
    (lambda: assert_execution(WORKFLOW).hops("validate", "ship"), "'W' to hop through 'validate', 'ship', but there is 'validate', 'charge', 'ship'"),
    (lambda: assert_execution(RETRIED).children(2), "'T' to have 2 children, but it has 1"),
    (lambda: assert_execution(RETRIED).has_child("D"), "'T' to have the child 'D', but its children are 'C' succeeded"),
    (lambda: assert_execution(RETRIED).has_child("C", state="failed"), "'T' to have the child 'C' failed, but its children are"),
    (lambda: assert_execution(GIVEN_UP).has_child("C"), "'T' to have the child 'C', but it has no child"),
    (lambda: assert_execution(RETRIED).of("D"), "something of task 'D', but there is only 'C', 'T'"),
    (lambda: assert_execution(GIVEN_UP).has_no_anomalies(), "nothing odd of 'T', but there is 'lost_ack'"),
    (lambda: assert_execution(RETRIED).has_anomaly("lost_ack"), "'T' to have the anomaly 'lost_ack', but nothing odd is known of it"),
    (lambda: assert_execution(GIVEN_UP).caused_by("TimeoutError"), "'T' to fail because of TimeoutError, but T failed because attempt 1"),
    (lambda: assert_execution(GIVEN_UP).is_complete(), "a complete graph, but it is partial: 'reported_loss'"),
    (lambda: assert_execution(RETRIED).is_partial("gap"), "a partial graph because of 'gap', but it is complete"),
    (lambda: assert_execution(RETRIED).satisfies(lambda graph: not graph.nodes, "no nodes"), "no nodes, but that does not hold"),
]  # fmt: skip


@pytest.mark.parametrize("says", HOLD)
def test_what_is_so_holds(says: Callable[[], ExecutionAssertions]) -> None:
    assert isinstance(says(), ExecutionAssertions)


@pytest.mark.parametrize(("says", "told"), FAIL)
def test_what_is_not_so_is_told(says: Callable[[], ExecutionAssertions], told: str) -> None:
    with pytest.raises(NotAsExpected, match=told) as caught:
        says()
    assert isinstance(caught.value, AssertionError)
    assert isinstance(caught.value, RelaynaError)
    assert str(caught.value).startswith(
        f"Expected {caught.value.expected}, but {caught.value.found}.\n\nTask "
    )


def test_the_graph_is_drawn_as_the_terminal_does() -> None:
    with pytest.raises(NotAsExpected) as caught:
        assert_execution(GIVEN_UP).attempts(2)
    message = str(caught.value)
    assert "✗ attempt 1  dead_lettered" in message
    assert "│ ValueError: no picture" in message
    assert "\x1b" not in message
    assert caught.value.graph is GIVEN_UP


def test_without_rich_it_is_told_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with pytest.raises(NotAsExpected, match="Recorded so far:\n"):
        assert_execution(GIVEN_UP).attempts(2)


def test_a_long_drawing_is_cut() -> None:
    attempt = history("T").published().attempt()
    for number in range(200):
        attempt.status(f"step {number}")
    with pytest.raises(NotAsExpected, match=r"… \d+ more lines$"):
        assert_execution(graph_of(attempt.acked().events)).attempts(2)


FAILING = """
from relayna.testing import assert_execution, given, history


def test_it():
    graph = given(history("T").published().attempt().acked().events).when().answer
    assert_execution(graph).ended("completed").attempts(2)
"""


def test_pytest_shows_the_line_of_the_test_and_none_of_ours(tmp_path: Path) -> None:
    (tmp_path / "test_failing.py").write_text(FAILING, encoding="utf-8")
    run = run_pytest(tmp_path)
    assert '>       assert_execution(graph).ended("completed").attempts(2)' in run.stdout.splitlines()
    assert "Expected 'T' to have 2 attempts, but it has 1." in run.stdout
    assert "execution_assertions.py" not in run.stdout
