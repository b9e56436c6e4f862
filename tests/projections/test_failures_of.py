"""Failed attempts: which count, and what is told of them."""

from __future__ import annotations

from relayna.events import RecordedEvent
from relayna.ids import EventId, TaskId
from relayna.instants import Instant
from relayna.projections.failures_of import FailedAttempt, cut_words, failures_of
from relayna.projections.gathering import gather_task_run
from relayna.testing import history


def failures(events: list[RecordedEvent]) -> list[FailedAttempt]:
    by_id = {EventId(event.envelope.event_id): event for event in events}
    return failures_of(gather_task_run(TaskId("T"), by_id))


def test_each_way_to_fail_and_none_that_is_not() -> None:
    first = history("T").published().attempt()
    attempt = first.fails("TimeoutError", "no answer").retried().attempt().released().attempt()
    attempt = attempt.redelivered().manually_retried().attempt()
    told = failures(attempt.fails("ValueError").dead_lettered().events)
    assert [(one.number, one.exception_type, one.outcome) for one in told] == [
        (1, "TimeoutError", "retried"),
        (5, "ValueError", "dead_lettered"),
    ]
    assert (told[0].ref, told[0].queue_name, told[0].stage) == (first.attempt_id, "work", None)


def test_one_that_is_not_closed_yet_has_failed_all_the_same() -> None:
    attempt = history("T").published().attempt().fails("OSError")
    [failure] = failures(attempt.events)
    assert (failure.outcome, failure.at) == ("running", attempt.events[-1].envelope.timestamp)


def test_a_stage_is_named() -> None:
    [failure] = failures(history("T").enters("ingest").attempt().fails("OSError").retried().events)
    assert (failure.stage, failure.node_id) == ("ingest", "stage-attempt:T:ingest:1")


def test_long_words_are_cut() -> None:
    assert cut_words("a" * 300) == "a" * 300
    assert cut_words("a" * 301) == "a" * 299 + "…"
    assert cut_words(None) is None


def test_of_a_retry_without_a_failure_the_end_is_the_time() -> None:
    attempt = history("T").published().attempt()
    [failure] = failures(attempt.retried().events)
    assert isinstance(failure.at, int)
    assert failure.at > Instant(0)
    assert (failure.exception_type, failure.outcome) == (None, "retried")
