"""What was decided about a run: counts and the worst, whatever the order and whatever else was said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from projections.lineage.told_facts import lineage, told

from relayna.events import DecisionRecorded, RecordedEvent, TaskMessageReceived
from relayna.ids import AttemptId
from relayna.projections.lineage.decisions import DECISION_ACTIONS, decisions_of, worst_action

ACTIONS = st.lists(st.sampled_from([*DECISION_ACTIONS, "applaud", ""]), max_size=20)


@pytest.mark.parametrize(
    ("actions", "worst"),
    [
        ([], None),
        (["applaud"], None),
        (["allow", "skip"], "skip"),
        (["warn", "skip"], "warn"),
        (["retry", "warn"], "retry"),
        (["retry", "redact"], "redact"),
        (["throttle", "redact"], "throttle"),
        (["throttle", "block", "allow"], "block"),
    ],
)
def test_the_worst(actions: list[str], worst: str | None) -> None:
    assert worst_action(actions) == worst


@given(ACTIONS)
def test_every_action_is_counted_once_and_the_worst_comes_first(actions: list[str]) -> None:
    found = decisions_of(DecisionRecorded(action=action) for action in actions)
    known = [action for action in actions if action in DECISION_ACTIONS]
    assert bool(found) is bool(known)
    counts = found.get("counts", {})
    assert counts == {action: known.count(action) for action in known}
    assert found.get("worst") == next(iter(counts), None) == worst_action(actions)
    assert decisions_of(DecisionRecorded(action=action) for action in reversed(actions)) == found


def received(task_id: str, at: int, attempt: str) -> RecordedEvent:
    return told(task_id, at, TaskMessageReceived(), f"{attempt}.0", attempt_id=AttemptId(attempt), seq=0)


def test_a_run_has_what_was_decided_about_its_attempts() -> None:
    decisions = [
        told(
            "R1",
            at,
            DecisionRecorded(action=action),
            f"{attempt}.lineage.{at}",
            attempt_id=AttemptId(attempt),
        )
        for at, action, attempt in ((2, "warn", "a"), (3, "block", "a"), (5, "warn", "b"))
    ]
    events = [received("R1", 1, "a"), *decisions, received("R1", 4, "b"), received("R2", 4, "c")]
    runs = lineage([*events, *decisions]).runs
    assert runs["R1"].decisions == {"worst": "block", "counts": {"block": 1, "warn": 2}}
    assert runs["R2"].decisions == {}
