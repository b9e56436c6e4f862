"""Dead letters in short."""

from __future__ import annotations

from relayna.events import RecordedEvent
from relayna.ids import EventId, TaskId
from relayna.projections.gathering import gather_task_run
from relayna.projections.letters_of import LetterSummary, letters_of
from relayna.testing import history


def letters(events: list[RecordedEvent]) -> list[LetterSummary]:
    by_id = {EventId(event.envelope.event_id): event for event in events}
    return letters_of(gather_task_run(TaskId("T"), by_id))


def test_an_open_one() -> None:
    attempt = history("T").published().attempt().fails("ValueError", "bad").dead_lettered("not_retryable")
    [letter] = letters(attempt.events)
    assert (letter.node_id, letter.reason, letter.source_queue_name) == ("dlq:T:1", "not_retryable", "work")
    assert (letter.replayed, letter.replay_count) == (False, 0)
    assert letter.dead_letter_id is not None
    assert letter.at is not None


def test_one_of_which_only_the_publishing_is_known() -> None:
    [letter] = letters(history("T").published().attempt().fails().dead_lettered(stored=False).events)
    assert (letter.dead_letter_id, letter.reason) == (None, "retries_exhausted")


def test_a_replayed_one_and_the_one_after_it() -> None:
    attempt = history("T").published().attempt().fails().dead_lettered().replayed().attempt()
    first, second = letters(attempt.fails().dead_lettered().events)
    assert [(one.replayed, one.replay_count) for one in (first, second)] == [(True, 1), (False, 0)]
