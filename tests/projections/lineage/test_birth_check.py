"""Runs that began and that nobody gave birth to: by example, and beside a slower way to the same."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayna.instants import Instant
from relayna.projections.lineage.birth_check import RunWithoutBirth, runs_without_birth
from relayna.projections.lineage.run_edges import BIRTH_KINDS, Run, RunEdge, RunEdgeKind


def run(run_id: str, started_at: int | None = 1) -> Run:
    return Run(
        run_id=run_id,
        session_id="S",
        agent="clerk",
        started_at=None if started_at is None else Instant(started_at),
    )


def edge(kind: RunEdgeKind, target: str, source: str | None = None, *, wakes: bool = False) -> RunEdge:
    return RunEdge(
        edge_id=f"{kind}-{target}", kind=kind, source=source, target=target, at=Instant(1), session_id="S",
        is_birth=kind in BIRTH_KINDS and not wakes,
    )  # fmt: skip


def names(found: list[RunWithoutBirth]) -> list[str]:
    return [one.run_id for one in found]


@pytest.mark.parametrize("kind", sorted(BIRTH_KINDS - {"span_tree_fallback"}))
def test_each_recorded_birth_is_one(kind: RunEdgeKind) -> None:
    assert runs_without_birth([run("R")], [edge(kind, "R")]) == []


def test_what_is_no_birth_is_none() -> None:
    edges = [edge("retry", "R", "R"), edge("resume", "R", "C"), edge("domain_callback", "R", wakes=True)]
    assert names(runs_without_birth([run("R")], edges)) == ["R"]


def test_a_fallback_is_none_and_says_whom_the_run_names() -> None:
    [found] = runs_without_birth([run("R")], [edge("span_tree_fallback", "R", "P")])
    assert found == RunWithoutBirth(
        run_id="R", session_id="S", agent="clerk", started_at=Instant(1), parent="P"
    )


def test_what_has_not_begun_needs_none() -> None:
    assert runs_without_birth([run("R", started_at=None)], []) == []


def test_they_come_in_the_order_in_which_they_began() -> None:
    assert names(runs_without_birth([run("B", 3), run("A", 3), run("C", 2)], [])) == ["C", "A", "B"]


RUNS = st.sampled_from([f"R{number}" for number in range(5)])


@settings(max_examples=150)
@given(
    started=st.dictionaries(RUNS, st.none() | st.integers(0, 3)),
    told=st.lists(st.tuples(st.sampled_from(get_args(RunEdgeKind)), RUNS, st.booleans()), max_size=10),
)
def test_a_run_is_named_when_it_began_and_no_birth_is_recorded(
    started: dict[str, int | None], told: list[tuple[RunEdgeKind, str, bool]]
) -> None:
    runs = [run(name, at) for name, at in started.items()]
    edges = [edge(kind, target, wakes=wakes) for kind, target, wakes in told]
    expected = {
        name
        for name, at in started.items()
        if at is not None
        and not [one for one in edges if one.target == name and one.is_birth and "span" not in one.kind]
    }
    found = runs_without_birth(runs, edges)
    assert set(names(found)) == expected
    assert len(found) == len(expected)
