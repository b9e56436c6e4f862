"""Plans of replays, case by case: where a letter would go, as which copy, and what speaks against it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from projections import hostile_histories
from projections.replay_records import BODY, Records

from relayna.ids import TaskId
from relayna.instants import Instant
from relayna.projections.replay_plan import ReplayPlan, plan_replay


def plan_of(records: Records, dead_letter_id: str = "L", **options: Any) -> ReplayPlan:
    return plan_replay(records.events, task_id=TaskId("T"), dead_letter_id=dead_letter_id, **options)


def codes(plan: ReplayPlan) -> tuple[list[str], list[str]]:
    """What it refuses for, and what it warns of."""
    return [note.code for note in plan.reasons], [note.code for note in plan.warnings]


def test_a_fresh_letter_goes_straight_back_to_its_queue() -> None:
    plan = plan_of(Records().letter(headers={"tenant": "t"}, content_type="text/plain"))
    assert plan.allowed
    assert codes(plan) == ([], [])
    assert plan.target is not None
    assert (plan.target.exchange, plan.target.routing_key, plan.target.known_from) == ("", "work", "record")
    assert (plan.event_id, plan.message_id, plan.replay_count) == ("L.replayed.1", "m", 1)
    assert (plan.body, plan.body_size, plan.headers) == (BODY, len(BODY), {"tenant": "t"})
    assert (plan.content_type, plan.letter_event_id) == ("text/plain", "L.dead_letter")


def test_a_letter_that_was_a_replay_counts_on() -> None:
    assert plan_of(Records().letter(), own_replay_count=4).replay_count == 5
    assert plan_of(Records().letter().attempt("a", 6)).replay_count == 7


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"body": None}, "no_body"),
        ({"body": BODY[:3]}, "body_cut"),
        ({"body_sha256": "0" * 64}, "body_cut"),
        ({"source_queue_name": None}, "no_target"),
        ({"source_queue_name": None, "headers": {"x-death": [{"queue": 7}]}}, "no_target"),
        ({"source_queue_name": None, "headers": {"x-death": "work"}}, "no_target"),
    ],
)
def test_what_no_force_can_help(fields: dict[str, Any], code: str) -> None:
    for force in (False, True):
        plan = plan_of(Records().letter(**fields), force=force)
        assert codes(plan)[0] == [code]
        assert not plan.allowed


def test_an_unknown_letter_is_refused() -> None:
    plan = plan_of(Records().letter(), "M", force=True)
    assert codes(plan) == (["not_found"], [])
    assert not plan.allowed


def test_the_brokers_own_letter_goes_where_it_died_last() -> None:
    deaths = [{"queue": "work", "reason": "delivery_limit"}, {"queue": "work.retry.10ms"}]
    plan = plan_of(Records().letter(source_queue_name=None, headers={"x-death": deaths}))
    assert plan.target is not None
    assert (plan.target.queue_name, plan.target.known_from) == ("work", "x-death")


@pytest.mark.parametrize(
    ("end", "code"),
    [("waiting", "in_flight"), (None, "in_flight"), ("retried", "in_flight"), ("acked", "handled"), ("dead", "dead_again")],
)  # fmt: skip
def test_a_letter_is_replayed_once_unless_forced(end: str | None, code: str) -> None:
    records = Records().letter().replayed()
    if end != "waiting":
        records.attempt("a", 1, end)
    plan = plan_of(records)
    assert codes(plan) == ([code], [])
    assert not plan.allowed
    forced = plan_of(records, force=True)
    assert codes(forced) == ([], [code])
    assert (forced.allowed, forced.replay_count) == (True, 2)


def test_the_letter_of_a_failed_replay_is_named() -> None:
    records = Records().letter().replayed().attempt("a", 1, "dead").letter("M")
    [reason] = plan_of(records).reasons
    assert "'M'" in reason.text
    assert plan_of(records, "M", own_replay_count=1).replay_count == 2


def test_a_message_that_was_handled_after_all_is_left_alone() -> None:
    records = Records().attempt("a", 0).letter().attempt("b", 0, "acked")
    assert codes(plan_of(records)) == (["handled"], [])


def test_a_published_replay_that_was_never_recorded_is_only_recorded() -> None:
    records = Records().letter().attempt("a", 1, "dead", cause="L.replayed.1")
    plan = plan_of(records)
    assert codes(plan) == ([], ["unmarked"])
    assert (plan.allowed, plan.replay_count, plan.published_by) == (True, 1, 2_000_000)


def at(second: int) -> Instant:
    return Instant(second * 1_000_000)


def test_a_claim_of_somebody_else_cannot_be_forced() -> None:
    records = Records().letter().claimed("a", at_seconds=100, claimed_by="ops")
    for force in (False, True):
        plan = plan_of(records, force=force, now=at(130))
        assert codes(plan)[0] == ["claimed"]
        assert plan.reasons[0].text == "'ops' replays it at this moment; the claim to that runs out in 30 s"
        assert codes(plan_of(records, force=force))[0] == ["claimed"]  # without a time, it may be fresh


@pytest.mark.parametrize("now", [99, 160, 100_000])
def test_a_claim_that_may_have_run_out_lets_others_try(now: int) -> None:
    plan = plan_of(Records().letter().claimed("a", at_seconds=100), now=at(now))
    assert codes(plan) == ([], ["claimed_before"])
    assert (plan.allowed, plan.replay_count, plan.event_id) == (True, 1, "L.replayed.1")


def test_ones_own_claim_is_asked_of_the_log_and_not_of_the_clock() -> None:
    records = Records().letter().claimed("a", at_seconds=100).claimed("b", at_seconds=101)
    assert codes(plan_of(records, claim_id="a", now=at(100_000))) == ([], [])
    assert codes(plan_of(records, claim_id="b", now=at(100_000)))[0] == ["claimed"]
    assert codes(plan_of(records, claim_id="c", now=at(100_000)))[0] == ["claimed"]
    records.claimed("d", at_seconds=160)
    assert codes(plan_of(records, claim_id="d")) == ([], ["claimed_before"])
    assert codes(plan_of(records, claim_id="a"))[0] == ["claimed"]


def test_a_claim_whose_copy_was_seen_is_only_recorded() -> None:
    records = Records().letter().claimed("a", at_seconds=100).attempt("x", 1, cause="L.replayed.1")
    assert codes(plan_of(records, now=at(101))) == ([], ["unmarked"])


def test_a_withdrawn_claim_is_none() -> None:
    records = Records().letter().claimed("a", at_seconds=100).claimed("a", withdrawn=True)
    assert codes(plan_of(records, now=at(101))) == ([], [])


def test_claims_are_by_replay_and_by_message() -> None:
    earlier = Records().letter().claimed("a", at_seconds=100).replayed()
    assert codes(plan_of(earlier, now=at(101)))[0] == ["in_flight"]
    forced = plan_of(earlier, force=True, now=at(101))
    assert (forced.allowed, forced.replay_count) == (True, 2)
    other_letter = Records().letter().letter("M").claimed("a", at_seconds=100, dead_letter_id="M")
    assert codes(plan_of(other_letter, now=at(101)))[0] == ["claimed"]
    elsewhere = Records().letter().letter("M", source_queue_name="elsewhere").claimed("a", dead_letter_id="M")
    assert codes(plan_of(elsewhere, now=at(2))) == ([], [])


def failing(replays: int, **last: Any) -> tuple[Records, str]:
    """A message that was replayed so often and died each time, of the same until perhaps the last."""
    records = Records().attempt("a0", 0, "dead").letter("L0")
    for count in range(1, replays + 1):
        records.replayed(f"L{count - 1}", count).attempt(f"a{count}", count, "dead")
        records.letter(f"L{count}", **(last if count == replays else {}))
    return records, f"L{replays}"


def test_replays_that_die_of_the_same_again_and_again_are_stopped() -> None:
    records, newest = failing(2)
    assert codes(plan_of(records, newest, own_replay_count=2)) == ([], ["failed_before"])
    records, newest = failing(3)
    assert codes(plan_of(records, newest, own_replay_count=3)) == (["same_failure"], [])
    forced = plan_of(records, newest, own_replay_count=3, force=True)
    assert (forced.allowed, codes(forced)[1], forced.replay_count) == (True, ["same_failure"], 4)
    assert plan_of(records, newest, own_replay_count=3, same_failure_limit=4).allowed


def test_another_failure_begins_to_count_anew() -> None:
    records, newest = failing(3, exception_type="ValueError")
    assert codes(plan_of(records, newest, own_replay_count=3)) == ([], [])


def test_headers_that_were_not_kept_are_told() -> None:
    hidden = {"api-token": "[redacted]", "tenant": "t", "note": "[cut: 70000 characters]"}
    plan = plan_of(Records().letter(headers=hidden))
    assert codes(plan) == ([], ["headers_hidden"])
    assert "api-token, note" in plan.warnings[0].text
    assert plan.headers == {"tenant": "t"}
    cut = Records().letter(headers={"relayna.cut": {"bytes": 99_999}})
    assert codes(plan_of(cut)) == (["headers_cut"], [])
    assert plan_of(cut, force=True).headers == {}


def test_a_message_without_an_id_gets_one_that_its_repeats_have_too() -> None:
    plan = plan_of(Records().letter(message_id=None))
    assert codes(plan) == ([], ["no_message_id"])
    assert plan.message_id == "L"


@settings(max_examples=150)
@given(st.lists(hostile_histories.events, max_size=20), st.booleans(), st.integers(0, 2**31 - 1))
def test_whatever_is_recorded_there_is_a_plan(events: list[Any], force: bool, own: int) -> None:
    for dead_letter_id in ("letter", "other"):
        plan = plan_replay(
            events, task_id=TaskId("root"), dead_letter_id=dead_letter_id, own_replay_count=own, force=force
        )
        assert plan.allowed == (not plan.reasons)
        if plan.allowed:
            assert plan.target is not None
            assert plan.body is not None
            assert 0 < plan.replay_count < 2**31
