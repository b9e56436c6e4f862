"""Events in the order in which they are told: their places are those that the rule gives them in any order."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from projections.hostile_histories import histories
from projections.random_histories import random_history

from relayna.events import Envelope, RecordedEvent, StatusPublished, TaskMessageReceived
from relayna.projections.execution_state import ExecutionState, apply, initial
from relayna.projections.ordering import place_events, place_in_any_order
from relayna.projections.told_order import place_as_told


def event(event_id: str, seconds: float, body: Any = None, **envelope: Any) -> RecordedEvent:
    told = Envelope(event_id=event_id, timestamp=round(seconds * 1e6), task_id="T", **envelope)  # type: ignore[arg-type]
    return RecordedEvent(envelope=told, body=body or StatusPublished(status=event_id))


def by_id(*events: RecordedEvent) -> Any:
    return {one.envelope.event_id: one for one in events}


def state_of(items: list[Any]) -> ExecutionState:
    state = initial("root")  # type: ignore[arg-type]
    for item in items:
        apply(state, item)
    return state


@given(items=histories)
def test_places_are_those_of_the_rule(items: list[Any]) -> None:
    for records in state_of(items).tasks.values():
        assert place_events(records.events) == place_in_any_order(records.events)


@pytest.mark.parametrize("seed", range(40))
def test_places_of_honest_histories_are_those_of_the_rule(seed: int) -> None:
    items, chance = random_history(seed), random.Random(seed)
    moved = list(items)
    for _ in range(3):
        moved.insert(chance.randrange(len(moved)), moved.pop(chance.randrange(len(moved))))
    for told in (items, moved):
        for records in state_of([*told]).tasks.values():
            assert place_events(records.events) == place_in_any_order(records.events)


def test_what_is_told_in_order_needs_no_other_way() -> None:
    for records in state_of([*random_history(7)]).tasks.values():
        told = place_as_told(records.events)
        assert told is not None
        assert set(told[0]) == set(records.events)


def test_what_has_no_number_may_be_told_before_its_cause() -> None:
    told = place_as_told(by_id(event("letter", 2, cause="a.0"), event("a.0", 1, attempt_id="a", seq=0)))
    assert told is not None
    assert (list(told[0]), told[1]) == (["a.0"], ["letter"])


def received(event_id: str, **told: Any) -> RecordedEvent:
    counts = {name: told.pop(name) for name in ("retry_attempt", "redelivered") if name in told}
    return event(event_id, 1, TaskMessageReceived(message_id="m", queue_name="q", **counts), **told)


@pytest.mark.parametrize(
    "events",
    [
        [event("a.1", 1, attempt_id="a", seq=1), event("a.0", 1, attempt_id="a", seq=0)],
        [event("a.0", 1, attempt_id="a", seq=0, cause="m.published"), event("m.published", 0)],
        [received("b", retry_attempt=1), received("a")],
        [received("a", cause="z"), event("z", 0), received("b", retry_attempt=1)],
        [
            received("a.0", attempt_id="a", seq=0),
            received("b.0", attempt_id="b", seq=0, redelivered=True),
            event("a.1", 2, attempt_id="a", seq=1),
        ],
    ],
)
def test_what_has_a_number_or_is_a_delivery_may_not(events: list[RecordedEvent]) -> None:
    assert place_as_told(by_id(*events)) is None
    assert place_events(by_id(*events)) == place_in_any_order(by_id(*events))
