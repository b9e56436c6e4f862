"""Whose claim to a replay holds: one rule, over the log's order and the store's own times."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from projections.replay_records import Records

from relayna.events import TaskMessageAcked
from relayna.projections.replay_claims import ReplayClaim, claim_of, holder_of


def claims(*told: tuple[str, int] | str) -> list[ReplayClaim]:
    """Claims by (id, second at which the store took it in), each for a minute; an id alone withdraws it."""
    records = Records().letter()
    for one in told:
        if isinstance(one, str):
            records.claimed(one, withdrawn=True)
        else:
            records.claimed(one[0], at_seconds=one[1])
    return [claim for claim in map(claim_of, records.events) if claim is not None]


def held_by(*told: tuple[str, int] | str, count: int = 1) -> str | None:
    holder = holder_of(claims(*told), count)
    return None if holder is None else holder.claim_id


def test_the_first_claim_holds() -> None:
    assert held_by() is None
    assert held_by(("a", 1)) == "a"
    assert held_by(("a", 1), ("b", 1), ("c", 60)) == "a"
    assert held_by(("a", 1), count=2) is None


def test_a_claim_that_has_run_out_is_taken_over_by_the_first_who_comes() -> None:
    assert held_by(("a", 1), ("b", 61), ("c", 61)) == "b"
    assert held_by(("a", 1), ("b", 60), ("c", 61)) == "c"
    assert held_by(("a", 1), ("b", 61), ("c", 122)) == "c"


def test_a_withdrawn_claim_holds_no_more_and_who_came_second_has_gone() -> None:
    assert held_by(("a", 1), "a") is None
    assert held_by(("a", 1), ("b", 2), "a") is None
    assert held_by(("a", 1), ("b", 2), "b") == "a"
    assert held_by(("a", 1), "a", ("b", 2)) == "b"
    assert held_by(("a", 1), ("b", 61), "a") == "b"


def test_a_claim_that_the_log_repeats_is_one() -> None:
    assert held_by(("a", 1), ("b", 2), ("a", 70)) == "a"
    assert held_by(("a", 1), "a", ("a", 70)) is None


def test_how_long_a_claim_holds_by_a_clock_of_ones_own() -> None:
    [claim] = claims(("a", 100))
    left = [claim.runs_out_in_ms(second * 1000) for second in (99, 100, 130, 160, 1_000)]
    assert left == [None, 60_000, 30_000, None, None]


def test_plain_records_are_told_by_their_own_time() -> None:
    [event] = Records().claimed("a", at_seconds=0).events
    claim = claim_of(event)
    assert claim is not None
    assert claim.told_ms == event.envelope.timestamp // 1000
    assert claim_of(Records().say(TaskMessageAcked(), event_id="a.1").events[0]) is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 200)), max_size=8), st.integers(0, 8))
def test_what_comes_later_dethrones_nobody_in_time(told: list[tuple[str, int]], length: int) -> None:
    """Who holds it after some claims still holds it after any that come within its time."""
    told.sort(key=lambda one: one[1])
    before = claims(*told[:length])
    holder = holder_of(before, 1)
    if holder is not None:
        soon = [claim for claim in claims(*told[length:]) if claim.told_ms - holder.told_ms < 60_000]
        assert holder_of([*before, *soon], 1) == holder
