"""What the records say of a dead letter's message: its copies, its replays, what became of them."""

from __future__ import annotations

import pytest
from projections.replay_records import Records

from relayna.events import EventsLost, TaskMessageRejected
from relayna.instants import Instant
from relayna.projections.replay_history import Fate, ReplayHistory, find_letter, read_replay_history


def history_of(records: Records, dead_letter_id: str = "L") -> ReplayHistory:
    found = read_replay_history(records.events, dead_letter_id)
    assert found is not None
    return found


def test_an_unknown_letter_has_no_history() -> None:
    records = Records().letter("L")
    assert read_replay_history(records.events, "M") is None
    assert find_letter(records.events, "M") is None
    assert find_letter(records.events, "L") == (records.events[0].envelope, records.events[0].body)


@pytest.mark.parametrize(
    ("ends", "fate"),
    [
        ((), Fate.WAITING),
        ((None,), Fate.UNDER_WAY),
        (("retried",), Fate.UNDER_WAY),
        (("retried", "acked"), Fate.HANDLED),
        (("retried", "dead"), Fate.DEAD),
        ((None, "acked"), Fate.HANDLED),
    ],
)
def test_what_became_of_a_copy(ends: tuple[str | None, ...], fate: Fate) -> None:
    records = Records().letter().replayed()
    for number, end in enumerate(ends):
        records.attempt(f"a{number}", 1, end)
    assert history_of(records).fate(1) is fate


def test_a_release_ends_nothing_and_a_lost_end_is_an_end() -> None:
    records = Records().letter().attempt("a", 1)
    records.say(TaskMessageRejected(requeue=True), attempt_id="a", event_id="a.1")
    assert history_of(records).fate(1) is Fate.UNDER_WAY
    lost = {"TaskMessageAcked": Fate.HANDLED, "ConsumerDeadLetterPublished": Fate.DEAD}
    lost |= dict.fromkeys(("ConsumerRetryScheduled", "TaskMessageRejected"), Fate.UNDER_WAY)
    for outcome, fate in lost.items():
        told = Records().letter().attempt("a", 1)
        told.say(EventsLost(outcome=outcome), attempt_id="a", event_id="a.lost.1")
        assert history_of(told).fate(1) is fate


def test_the_same_message_in_another_queue_is_another_matter() -> None:
    records = Records().letter().attempt("a", 1, "acked", queue="elsewhere")
    records.letter("M", source_queue_name="elsewhere")
    history = history_of(records)
    assert history.fate(1) is Fate.WAITING
    assert [letter.dead_letter_id for letter in history.letters] == ["L"]


def test_a_replay_recorded_twice_is_one() -> None:
    history = history_of(Records().letter().replayed().replayed())
    assert (history.replays, history.counts, history.taken) == (1, {1}, {1})


def test_an_unrecorded_replay_of_its_own_does_not_take_a_count() -> None:
    history = history_of(Records().letter().attempt("a", 1, cause="L.replayed.1").attempt("b", 4))
    assert history.taken == {4}
    assert history.published_by(1) == Instant(2_000_000)
    assert history.published_by(2) is None


def test_a_message_without_an_id_is_called_after_its_letter() -> None:
    history = history_of(Records().letter(message_id=None).attempt("a", 1, "acked"))
    assert history.message_id == "L"
    assert history.fate(1) is Fate.WAITING
