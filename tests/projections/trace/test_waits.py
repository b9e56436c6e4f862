"""Waits of handlers: where they are told, each once, and what is left of the work without them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.events import Envelope, RecordedEvent, RunEdgeRecorded
from relayna.ids import EventId, TaskId
from relayna.instants import Instant
from relayna.projections.trace.spans import Wait
from relayna.projections.trace.waits import waits_told, worked_between

ORDER, REPORT = TaskId("order"), TaskId("report")


def told(kind: str, *, metadata: dict[str, Any] | None, stream: TaskId = ORDER) -> RecordedEvent:
    envelope = Envelope(event_id=EventId("e"), timestamp=Instant(9_000_000), task_id=stream)
    source = REPORT if kind == "resume" else ORDER
    body = RunEdgeRecorded(kind=kind, source_run=source, target_run=ORDER, metadata=metadata)
    return RecordedEvent(envelope=envelope, body=body)


@pytest.mark.parametrize(
    ("kind", "waker"), [("timer_fire", None), ("ctx_ask_user", None), ("resume", REPORT)]
)
def test_an_edge_tells_the_wait_that_it_ended_once(kind: str, waker: TaskId | None) -> None:
    edge = told(kind, metadata={"waited_ms": 2_000})
    copied = told(kind, metadata={"waited_ms": 2_000}, stream=REPORT)
    [wait] = waits_told([edge, copied, edge])
    assert wait == Wait(data_id=ORDER, start=Instant(7_000_000), end=Instant(9_000_000), woken_by=waker)


@pytest.mark.parametrize("metadata", [None, {}, {"waited_ms": -1}, {"waited_ms": "2"}, {"waited_ms": 2**60}])
def test_an_edge_that_tells_no_length_tells_no_wait(metadata: dict[str, Any] | None) -> None:
    assert waits_told([told("timer_fire", metadata=metadata)]) == []


def test_what_users_say_of_other_edges_is_no_wait() -> None:
    assert waits_told([told("domain_callback", metadata={"waited_ms": 2_000})]) == []


SPOTS = st.integers(0, 12)


@given(st.lists(st.tuples(SPOTS, SPOTS), max_size=4), SPOTS, SPOTS)
def test_no_instant_is_both_worked_and_waited_and_none_is_lost(
    spots: list[tuple[int, int]], one: int, other: int
) -> None:
    start, end = sorted((one, other))
    waits = [Wait(data_id=ORDER, start=Instant(min(spot)), end=Instant(max(spot))) for spot in spots]
    parts = worked_between(Instant(start), Instant(end), waits)
    worked = [at for began, ended in parts for at in range(began, ended)]
    waited = {at for wait in waits for at in range(wait.start, wait.end)}
    assert worked == [at for at in range(start, end) if at not in waited]
