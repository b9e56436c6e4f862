"""One birth a run, at the moment of writing: what is refused, how it is counted, how much is remembered."""

from __future__ import annotations

from collections import Counter

import pytest

from relayna.consumer.edge_admission import EdgeAdmission
from relayna.events import RunEdgeRecorded
from relayna.ids import TaskId


class Counted:
    """Failures by reason."""

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()

    def increment(self, name: str, by: int = 1, **labels: str) -> None:
        assert (name, list(labels)) == ("relayna_lineage_emission_failures_total", ["reason"])
        self.reasons[labels["reason"]] += by


def edge(kind: str, source: str | None, target: str = "R", *, wakes: bool = False) -> RunEdgeRecorded:
    return RunEdgeRecorded(
        kind=kind, source_run=TaskId(source) if source else None, target_run=TaskId(target), wakes=wakes
    )


@pytest.mark.parametrize(
    ("second", "reasons"),
    [
        (edge("spawn", "P"), {}),
        (edge("spawn", "Q"), {"second_birth": 1}),
        (edge("signal_fire", "P"), {"second_birth": 1}),
        (edge("cross_session_bridge", "P"), {"second_birth": 1}),
        (edge("domain_callback", None), {"second_birth": 1}),
        (edge("domain_callback", None, wakes=True), {}),
        (edge("resume", "C"), {}),
        (edge("timer_fire", "R"), {}),
        (edge("spawn", "Q", "R2"), {}),
    ],
)
def test_a_second_birth_is_refused_and_the_same_one_again_is_none(
    second: RunEdgeRecorded, reasons: dict[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    counted = Counted()
    edges = EdgeAdmission(counted, is_told=True)
    assert edges.admits(edge("spawn", "P"))
    assert edges.admits(second) is not bool(reasons)
    assert counted.reasons == reasons
    assert ("Run R was born by spawn from P; its birth by" in caplog.text) is bool(reasons)
    assert edges.admits(edge("spawn", "P"))


def test_births_heard_of_last_are_remembered_and_no_more() -> None:
    counted = Counted()
    edges = EdgeAdmission(counted, is_told=True, most=2)
    for target in ("R1", "R2", "R1", "R3"):
        assert edges.admits(edge("spawn", "P", target))
    assert edges.admits(edge("spawn", "Q", "R2"))
    assert not edges.admits(edge("spawn", "Q", "R3"))
    assert counted.reasons == {"second_birth": 1}


def test_an_edge_that_nobody_is_told_is_counted() -> None:
    counted = Counted()
    assert not EdgeAdmission(counted, is_told=False).admits(edge("timer_fire", "R"))
    assert counted.reasons == {"no_sink": 1}
