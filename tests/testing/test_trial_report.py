"""What keeps a task from being done, and how it is said."""

from __future__ import annotations

import pytest

from relayna.errors import RelaynaError
from relayna.events import RecordedEvent
from relayna.projections.graph import ExecutionGraph
from relayna.testing import NotInTime, given, history
from relayna.testing.trial_report import statuses_of, unfinished, unhandled, unheard
from relayna.topologies import DEFAULT_TERMINAL_STATUSES


def graph_of(events: list[RecordedEvent]) -> ExecutionGraph:
    answer = given(events).when().answer
    assert isinstance(answer, ExecutionGraph)
    return answer


def missing(events: list[RecordedEvent]) -> list[str]:
    return unfinished(graph_of(events), DEFAULT_TERMINAL_STATUSES)


PUBLISHED = history("T").published()
DONE = history("T").published().attempt().acked()
RETRIED = history("T").published().attempt().fails("TimeoutError").retried(delay_ms=500)


def test_a_task_that_ended_lacks_nothing() -> None:
    assert missing(DONE.events) == []
    assert unhandled(graph_of(DONE.events)) == []


def test_a_published_task_has_neither_status_nor_attempt() -> None:
    assert missing(PUBLISHED.events) == ["it has no status"]
    assert unhandled(graph_of(PUBLISHED.events)) == ["no consumer took a message of it"]


def test_a_running_attempt_is_open() -> None:
    events = history("T").published().attempt().status("working").events
    assert missing(events) == ["its last status, 'working', ends no task", "T attempt 1 is still running"]


def test_an_attempt_is_open_although_the_last_status_is_there() -> None:
    events = history("T", lifecycle_statuses=False).published().attempt().status("completed").events
    assert missing(events) == ["T attempt 1 is still running"]


def test_a_waiting_retry_is_open_and_one_that_came_back_is_not() -> None:
    assert missing(RETRIED.events) == [
        "its last status, 'retrying', ends no task",
        "retry 1 of T still waits",
    ]
    again = history("T").published().attempt().fails("TimeoutError").retried(delay_ms=500).attempt().acked()
    assert missing(again.events) == []


def test_a_status_that_did_not_come_is_answered_with_those_that_did() -> None:
    graph = graph_of(DONE.events)
    assert statuses_of(graph) == ["processing", "completed"]
    assert unheard(graph, "processing") == []
    assert unheard(graph, "sent") == ["its statuses are 'processing', 'completed'"]
    assert unheard(graph_of(PUBLISHED.events), "sent") == ["it has no status"]


def said(graph: ExecutionGraph | None, **told: list[str]) -> list[str]:
    error = NotInTime("T", "did not finish", patience_seconds=1.5, graph=graph, **told)
    assert isinstance(error, RelaynaError)
    assert isinstance(error, AssertionError)
    return str(error).splitlines()


def test_it_tells_the_story_so_far() -> None:
    lines = said(graph_of(RETRIED.events), missing=["this", "that"], working=["TaskConsumer", "StatusHub"])
    assert lines[0] == "Task 'T' did not finish within 1.5 s: this; that."
    assert lines[1] == "Recorded so far:"
    assert "T attempt 1, failed" in lines[2]
    assert "retry 1, after 500 ms" in lines[-2]
    assert lines[-1] == "Working: TaskConsumer, StatusHub."


def test_it_says_when_there_is_no_story() -> None:
    assert said(graph_of(PUBLISHED.events))[1] == "Only its publishing is recorded."
    assert said(None)[1] == "Nothing is recorded of it, nor of any other task."
    assert said(None, known_tasks=["S", "U"])[1] == "Nothing is recorded of it, there is something of S, U."
    assert said(None)[-1].startswith("No consumer is working")


def test_a_long_story_is_told_from_near_its_end() -> None:
    attempt = history("T").published().attempt()
    for number in range(100):
        attempt.status(f"page {number}")
    lines = said(graph_of(attempt.events))
    assert len(lines) < 50
    assert "more before" in lines[2]
    assert "page 99" in lines[-2]


@pytest.mark.parametrize("text", ["two\nlines", "\x1b[31mred", "x" * 10_000])
def test_no_text_of_the_users_spoils_the_page(text: str) -> None:
    lines = said(graph_of(history("T").published().attempt().status(text).events))
    assert len(lines) == 6
    assert max(map(len, lines)) < 400
    assert all(line.isprintable() for line in lines)


def test_what_is_missing_of_the_record_is_said() -> None:
    trimmed = history("T").published().attempt().status("a").status("b").acked().events
    lines = said(graph_of(trimmed[:3] + trimmed[4:]))
    assert any("Missing" in line for line in lines)
