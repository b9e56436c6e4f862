"""The critical path where handlers wait for others: over these, and on from where they themselves came from."""

from __future__ import annotations

import pytest

from relayna.events import Envelope, RecordedEvent, RunEdgeRecorded
from relayna.ids import EventId, TaskId
from relayna.instants import Instant
from relayna.projections.trace.path import wakers_by_run, walked_back
from relayna.projections.trace.plain import plain_history
from relayna.projections.trace.profile import analyse
from relayna.projections.trace.spans import Wait
from relayna.projections.trace.timings import RunTiming
from relayna.testing import history


def test_a_child_that_was_waited_for_is_on_the_path_and_the_wait_is_no_work() -> None:
    """The order works, waits for its report's whole life, and works on."""
    order = history("order", tick=1).published().attempt()
    report = order.spawns("report").attempt()
    asked = order.events[-1].envelope.timestamp
    report.acked()
    woken = report.events[-1].envelope.timestamp
    order.after(4).acked()
    edge = RunEdgeRecorded(
        kind="resume",
        source_run=TaskId("report"),
        target_run=TaskId("order"),
        metadata={"waited_ms": (woken - asked) // 1_000},
    )
    envelope = Envelope(event_id=EventId("wake"), timestamp=woken, task_id=TaskId("order"))
    before = analyse(plain_history("order", order.events))
    found = analyse(plain_history("order", [*order.events, RecordedEvent(envelope=envelope, body=edge)]))
    assert found.critical_path is not None
    assert before.critical_path is not None
    path = found.critical_path
    assert (path.path, path.cycle) == (["report", "order"], False)
    [_, worked] = path.active_wait_breakdown.active_seconds
    waited = (woken - asked) / 1e6
    [whole] = [run.duration_seconds for run in found.per_data_id if run.data_id == "order"]
    assert worked == pytest.approx(whole - waited)
    assert path.critical_path_wall_seconds == before.critical_path.critical_path_wall_seconds
    [spent], [then] = (one.e2e_breakdown.hardware_summary.total_seconds for one in (found, before))
    assert spent == pytest.approx(then - waited)


def timing(name: str, start: int, end: int) -> RunTiming:
    return RunTiming(data_id=name, start=Instant(start), end=Instant(end), ready=None)


def waits(**woken: str) -> list[Wait]:
    return [Wait(data_id=run, start=Instant(0), end=Instant(1), woken_by=by) for run, by in woken.items()]


RUNS = {
    run.data_id: run
    for run in (timing("plan", 0, 2), timing("order", 3, 9), timing("page", 4, 6), timing("ink", 5, 5))
}


@pytest.mark.parametrize(
    ("sources", "woken", "path", "cycle"),
    [
        ({"page": ["order"], "order": ["plan"]}, {"order": "page"}, ["plan", "page", "order"], False),
        (
            {"ink": ["page"], "page": ["order"], "order": ["plan"]},
            {"order": "page", "page": "ink"},
            ["plan", "ink", "page", "order"],
            False,
        ),
        ({"page": ["order"]}, {"order": "elsewhere"}, ["order"], False),
        ({"page": ["order"], "order": ["page"]}, {}, ["page", "order"], True),
        ({"page": ["order"], "order": ["page"]}, {"order": "page"}, ["page", "order"], True),
    ],
)
def test_the_way_back(
    sources: dict[str, list[str]], woken: dict[str, str], path: list[str], cycle: bool
) -> None:
    assert walked_back(RUNS, sources, wakers_by_run(waits(**woken), RUNS)) == (path, cycle)
