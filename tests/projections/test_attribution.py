"""Which attempt a fact belongs to: by ids, by causes, else by time."""

from __future__ import annotations

from typing import Any

from projections.plain_histories import at, plain_items

from relayna.projections.attribution import Attribution
from relayna.projections.execution_state import apply, initial
from relayna.projections.gathering import gather_task_run

RECEIVED = at(1, "TaskMessageReceived", event_id="e1")


def attributed(record: dict[str, Any], *others: dict[str, Any]) -> Attribution:
    state = initial("T")  # type: ignore[arg-type]
    for item in plain_items(observations=[*others, {**record, "event_id": "asked"}]):
        apply(state, item)
    run = gather_task_run("T", state.tasks["T"].events)  # type: ignore[arg-type,index]
    return run.attribute(run.placed["asked"])  # type: ignore[index]


def test_by_its_attempt() -> None:
    by = attributed(at(0, "StatusPublished", status="x", attempt_id="a1"), RECEIVED)
    assert by.attempt is not None
    assert (by.attempt.ref, by.evidence, by.rule) == ("a1", "observed", None)


def test_by_its_cause_even_when_that_is_missing() -> None:
    other = at(0, "TaskMessageReceived", attempt_id="a1", seq=0, event_id="a1.0")
    by = attributed(at(0, "StatusPublished", status="x", cause="a1.7"), other, RECEIVED)
    assert by.attempt is not None
    assert (by.attempt.ref, by.evidence) == ("a1", "observed")
    foreign = attributed(at(0, "StatusPublished", status="x", cause="e1"), RECEIVED)
    assert foreign.attempt is not None
    assert (foreign.attempt.ref, foreign.evidence) == ("e1", "observed")


def test_by_time() -> None:
    by = attributed(at(1, "StatusPublished", status="x"), RECEIVED, at(2, "TaskMessageReceived"))
    assert by.attempt is not None
    assert (by.attempt.ref, by.evidence, by.rule) == ("e1", "inferred", "newest_attempt_begun_by_then")
    before = attributed(at(0.5, "StatusPublished", status="x"), RECEIVED)
    assert before == Attribution(None, "inferred", "no_attempt_begun_by_then")


def test_what_a_publisher_says_is_of_no_attempt() -> None:
    published = at(0, "TaskPublished", event_id="m.published")
    status = at(5, "StatusPublished", status="x", cause="m.published")
    assert attributed(status, published, RECEIVED) == Attribution(None, "observed")
