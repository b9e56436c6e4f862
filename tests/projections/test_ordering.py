"""The order of a task's events: an effect never comes before its cause, however wrong the clocks are."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from projections.hostile_histories import histories

from relayna.events import Envelope, RecordedEvent, StatusPublished, TaskMessageReceived
from relayna.projections.execution_state import apply, initial
from relayna.projections.fact_ids import cause_of
from relayna.projections.ordering import in_causal_order


def event(event_id: str, seconds: float, body: Any = None, **envelope: Any) -> RecordedEvent:
    placed = Envelope(event_id=event_id, timestamp=round(seconds * 1e6), task_id="T", **envelope)  # type: ignore[arg-type]
    return RecordedEvent(envelope=placed, body=body or StatusPublished(status=event_id))


def order(*events: RecordedEvent) -> list[str]:
    placed, _ = in_causal_order({one.envelope.event_id: one for one in events})
    return [one.own_id for one in placed]


def test_by_time_then_depth_then_id() -> None:
    assert order(event("b", 1), event("a", 1), event("c", 0)) == ["c", "a", "b"]
    assert order(event("a", 1, cause="z"), event("z", 1)) == ["z", "a"]


def test_an_effect_comes_after_its_cause_and_after_the_one_before_it_in_its_attempt() -> None:
    late = event("m.published", 3600)
    early = [
        event(f"a.{n}", n, attempt_id="a", seq=n, cause="m.published" if not n else None) for n in range(3)
    ]
    between = event("x", 1800)
    assert order(*early, between, late) == ["x", "m.published", "a.0", "a.1", "a.2"]


def test_shown_times_stay_as_they_were_told() -> None:
    placed, _ = in_causal_order({"a": event("a", 5), "b": event("b", 1, cause="a")})  # type: ignore[dict-item]
    assert [(one.key[0], one.time) for one in placed] == [(5_000_000, 5_000_000), (5_000_000, 1_000_000)]


def test_deliveries_of_one_message_come_in_the_order_of_what_they_count() -> None:
    def received(event_id: str, seconds: float, **counts: Any) -> RecordedEvent:
        return event(event_id, seconds, TaskMessageReceived(message_id="m", queue_name="q", **counts))  # type: ignore[arg-type]

    deliveries = [
        received("e", 0, replay_count=1),
        received("d", 1, retry_attempt=1),
        received("c", 2, delivery_count=2, redelivered=True),
        received("b", 3, redelivered=True),
        received("a", 4),
    ]
    assert order(*deliveries) == ["a", "b", "c", "d", "e"]
    assert order(received("b", 1), received("a", 2)) == ["b", "a"]


def test_what_deliveries_count_gives_way_to_their_causes() -> None:
    def received(event_id: str, seconds: float, cause: str | None, **counts: Any) -> RecordedEvent:
        return event(
            event_id, seconds, TaskMessageReceived(message_id="m", queue_name="q", **counts), cause=cause
        )  # type: ignore[arg-type]

    deliveries = [received("a", 5, None, retry_attempt=2), received("b", 6, "a")]
    placed, circular = in_causal_order({one.envelope.event_id: one for one in deliveries})
    assert [one.own_id for one in placed] == ["a", "b"]
    assert not circular


def test_a_later_delivery_comes_after_all_that_the_earlier_attempt_told() -> None:
    def received(attempt: str, seconds: float, **counts: Any) -> RecordedEvent:
        body = TaskMessageReceived(message_id="m", queue_name="q", **counts)
        return event(f"{attempt}.0", seconds, body, attempt_id=attempt, seq=0)

    told = [received("a", 10), event("a.1", 11, attempt_id="a", seq=1), received("b", 3, redelivered=True)]
    assert order(*told) == ["a.0", "a.1", "b.0"]


def test_a_circle_of_causes_is_cut_and_told() -> None:
    circle = [event("a", 2, cause="c"), event("b", 1, cause="a"), event("c", 0, cause="b")]
    placed, circular = in_causal_order({one.envelope.event_id: one for one in circle})
    assert circular
    assert sorted(one.own_id for one in placed) == ["a", "b", "c"]
    assert not in_causal_order({"a": event("a", 0, cause="a")})[1]  # type: ignore[dict-item]


def test_a_chain_of_causes_may_be_long() -> None:
    chain = [event(f"{n:06}", 0, cause=f"{n + 1:06}") for n in range(20_000)]
    random.Random(0).shuffle(chain)
    assert order(*chain) == [f"{n:06}" for n in reversed(range(20_000))]


@given(items=histories)
def test_every_event_has_a_place_and_no_acyclic_cause_comes_later(items: list[Any]) -> None:
    state = initial("root")  # type: ignore[arg-type]
    for item in items:
        apply(state, item)
    for records in state.tasks.values():
        placed, circular = in_causal_order(records.events)
        assert len(placed) == len(records.events)
        position = {one.own_id: number for number, one in enumerate(placed)}
        for one in placed:
            cause = cause_of(one.event.envelope)
            assert circular or cause == one.own_id or position.get(cause, -1) < position[one.own_id]  # type: ignore[arg-type]
