"""What is remembered: each fact once, whatever way it came."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from relayna.events import Envelope, RecordedEvent, StatusPublished, TaskResourceSampled
from relayna.events.history import RecordWarning, StreamFact
from relayna.projections.execution_state import ExecutionState, apply, initial, restore, snapshot


def told(body: Any, *, timestamp: int = 0, **place: Any) -> RecordedEvent:
    envelope = Envelope(event_id="e", timestamp=timestamp, task_id="T")  # type: ignore[arg-type]
    return RecordedEvent(envelope=envelope, body=body, **place)


def state_of(*items: Any) -> ExecutionState:
    state = initial("T")  # type: ignore[arg-type]
    for item in items:
        apply(state, item)
    return state


def status(**meta: Any) -> StatusPublished:
    return StatusPublished(status="s", meta=meta)


@pytest.mark.parametrize(
    "bodies",
    [
        [status(a=1), status(a=1.0), status(a=True)],
        [status(a=0.0), status(a=-0.0)],
        [status(a=1), status(b=1), status()],
    ],
)
def test_different_facts_under_one_id_are_told_apart_in_any_order(bodies: list[StatusPublished]) -> None:
    states = [state_of(*map(told, order)) for order in itertools.permutations(bodies)]
    assert len({snapshot(state) for state in states}) == 1
    assert states[0].tasks["T"].disputed == {"e"}  # type: ignore[index]


@pytest.mark.parametrize(
    "items",
    [
        [told(TaskResourceSampled(cpu_process_seconds=float("nan"))) for _ in range(2)],
        [told(status(a=1, b=2)), told(status(b=2, a=1))],
        [told(status(a=1), timestamp=1), told(status(a=1), timestamp=2)],
        [told(status(a=1), stream_id="9-1"), told(status(a=1), stream_id="10-0")],
        [told(status(a=1), version=1), told(status(a=1), version=2)],
    ],
)
def test_the_same_fact_told_again_is_no_dispute(items: list[RecordedEvent]) -> None:
    states = [state_of(*order) for order in itertools.permutations([*items, items[0]])]
    assert len({snapshot(state) for state in states}) == 1
    assert states[0].tasks["T"].disputed == set()  # type: ignore[index]


def test_of_two_places_the_first_is_kept() -> None:
    late = told(status(), stream_id="10-0", first_append_ms=7)
    early = told(status(), stream_id="9-5", first_append_ms=7)
    kept = state_of(late, early).tasks["T"].events["e"]  # type: ignore[index]
    assert kept.stream_id == "9-5"


def test_a_snapshot_holds_everything() -> None:
    state = state_of(
        told(status(a=1)), told(status(a=2)),
        StreamFact(task_id="T", name="topology_kind", value=None),  # type: ignore[arg-type]
        StreamFact(task_id="T", name="topology_kind", value=""),  # type: ignore[arg-type]
        RecordWarning(task_id="C", code="bad_field", detail="x"),  # type: ignore[arg-type]
    )  # fmt: skip
    assert restore(snapshot(state)) == state


def test_texts_that_no_record_can_hold_are_held_as_records_would() -> None:
    warning = RecordWarning(task_id="a\ud800", code="bad_field", detail="\udfff")  # type: ignore[arg-type]
    assert state_of(warning) == restore(snapshot(state_of(warning)))
    assert initial("a\ud800").root == "a\ufffd"  # type: ignore[arg-type]
    assert set(state_of(warning).tasks) == {"a\ufffd"}
