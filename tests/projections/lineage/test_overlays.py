"""What is laid over a graph of runs: own and whole costs over births, and the worst of all decisions."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from relayna.events import DecisionRecorded
from relayna.instants import Instant
from relayna.projections.lineage.decisions import decisions_of
from relayna.projections.lineage.overlays import run_overlays
from relayna.projections.lineage.run_edges import Run, RunEdge, RunEdgeKind


def edge(
    source: str | None, target: str, *, kind: RunEdgeKind = "spawn", cost: int = 0, at: int = 0
) -> RunEdge:
    return RunEdge(
        edge_id=f"{source}>{target}.{at}", kind=kind, source=source, target=target, at=Instant(at),
        session_id="s", is_birth=kind in ("spawn", "user_start"), cost_attributed=cost, tokens_attributed=10 * cost,
    )  # fmt: skip


def runs(names: str) -> list[Run]:
    return [Run(run_id=name, session_id="s") for name in names]


def costs(names: str, edges: list[RunEdge]) -> dict[str, tuple[int, int, int]]:
    return {
        one.run_id: (one.own_cost, one.subtree_cost, one.subtree_runs)
        for one in run_overlays(runs(names), edges)
    }


def test_a_run_costs_what_led_to_it_and_a_subtree_what_came_of_it() -> None:
    edges = [
        edge(None, "a", kind="user_start", cost=1),
        edge("a", "b", cost=2, at=1),
        edge("b", "c", cost=4, at=2),
        edge("c", "c", kind="retry", cost=8, at=3),
        edge("a", "d", cost=16, at=4),
        edge("c", "a", kind="resume", at=5),
    ]
    assert costs("abcd", edges) == {"a": (1, 31, 4), "b": (2, 14, 2), "c": (12, 12, 1), "d": (16, 16, 1)}
    [first, *_] = run_overlays(runs("abcd"), edges)
    assert (first.own_tokens, first.subtree_tokens) == (10, 310)


def test_births_in_a_circle_count_each_run_once_for_all_of_it() -> None:
    edges = [edge("a", "b", cost=1), edge("b", "a", cost=2), edge("b", "c", cost=4), edge("c", "d", cost=8)]
    assert costs("abcd", edges) == {"a": (2, 15, 4), "b": (1, 15, 4), "c": (4, 12, 2), "d": (8, 8, 1)}


def test_a_second_birth_is_no_birth_but_its_cost_counts() -> None:
    edges = [edge("a", "c", cost=1, at=1), edge("b", "c", cost=2, at=2)]
    assert costs("abc", edges) == {"a": (0, 3, 2), "b": (0, 0, 1), "c": (3, 3, 1)}


def test_runs_that_are_not_asked_for_are_nobodys() -> None:
    assert costs("b", [edge("a", "b", cost=1), edge("b", "x", cost=2)]) == {"b": (1, 1, 1)}


def test_a_chain_of_many_births_is_no_trouble() -> None:
    names = [f"r{number}" for number in range(20_000)]
    told = run_overlays(
        [Run(run_id=name, session_id="s") for name in names],
        [edge(one, other, cost=1) for one, other in itertools.pairwise(names)],
    )
    assert (told[0].subtree_runs, told[0].subtree_cost) == (20_000, 19_999)


NAMES = st.sampled_from("abcdefg")


@settings(max_examples=200)
@given(births=st.dictionaries(NAMES, NAMES, max_size=7), spent=st.dictionaries(NAMES, st.integers(0, 9)))
def test_a_subtree_is_all_that_births_lead_to(births: dict[str, str], spent: dict[str, int]) -> None:
    edges = [edge(parent, child, cost=spent.get(child, 0)) for child, parent in births.items()]
    own = {target: spent.get(target, 0) if target in births else 0 for target in "abcdefg"}
    for run_id, (_, whole, count) in costs("abcdefg", edges).items():
        reached, waiting = {run_id}, [run_id]
        for at in waiting:
            below = {child for child, parent in births.items() if parent == at} - reached
            reached |= below
            waiting += below
        assert (whole, count) == (sum(own[one] for one in reached), len(reached))


def test_decisions_are_told_as_they_were_counted() -> None:
    made = decisions_of(DecisionRecorded(action=action) for action in ("allow", "warn", "redact", "warn"))
    [told] = run_overlays([Run(run_id="a", session_id="s", decisions=made)], [])
    assert (told.decisions, told.worst_action) == ({"redact": 1, "warn": 2, "allow": 1}, "redact")
    [nothing] = run_overlays(runs("b"), [])
    assert (nothing.decisions, nothing.worst_action) == ({}, None)
