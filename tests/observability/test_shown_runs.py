"""Which runs of an answer stand for themselves, and which as a group: nothing is lost by it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayna.errors import InvalidQuery
from relayna.instants import Instant
from relayna.observability.lineage_view import LineageView, checked_view
from relayna.observability.shown_runs import shown_runs
from relayna.projections.lineage.run_edges import Run, RunEdge

GROUPED = LineageView(grouped=True, overlays=True)


def run(run_id: str, status: str = "completed") -> Run:
    return Run(run_id=run_id, session_id="s", agent="worker", workflow="w", status=status)


def born(source: str, target: str, at: int, cost: int = 1) -> RunEdge:
    return RunEdge(
        edge_id=f"{source}>{target}", kind="spawn", source=source, target=target, at=Instant(1_000_000 * at),
        session_id="s", is_birth=True, cost_attributed=cost, tokens_attributed=10 * cost,
    )  # fmt: skip


def retried(run_id: str) -> RunEdge:
    return RunEdge(
        edge_id=f"again.{run_id}", kind="retry", source=run_id, target=run_id, at=Instant(99_000_000),
        session_id="s", cost_attributed=5,
    )  # fmt: skip


CHILDREN = [f"c{number}" for number in range(1, 7)]
RUNS = [run("p"), *map(run, CHILDREN), run("bad", "failed")]
EDGES = [*(born("p", child, at) for at, child in enumerate(CHILDREN, 1)), born("p", "bad", 7), retried("c3")]


def test_children_alike_are_one_and_failures_stand_by_themselves() -> None:
    shown = shown_runs(RUNS, EDGES, GROUPED)
    assert [one.run_id for one in shown.runs] == ["p", "bad"]
    assert [one.edge_id for one in shown.edges] == ["p>bad"]
    [group] = shown.groups
    assert (group.parent_run, group.kind, group.agent, group.run_ids) == ("p", "spawn", "worker", CHILDREN)
    assert (group.by_status, group.edge_count, group.cost, group.tokens) == ({"completed": 6}, 7, 11, 60)
    assert (group.first_at, group.last_at) == (
        "1970-01-01T00:00:01+00:00",
        "1970-01-01T00:00:06+00:00",
    )
    assert shown.overlays is not None
    assert [(one.run_id, one.subtree_cost) for one in shown.overlays] == [("p", 12), ("bad", 1)]


def test_a_group_is_opened_by_its_id_which_stays_as_it_grows() -> None:
    [group] = shown_runs(RUNS, EDGES, GROUPED).groups
    [grown] = shown_runs([*RUNS, run("c7")], [*EDGES, born("p", "c7", 8)], GROUPED).groups
    assert (grown.group_id, len(grown.run_ids)) == (group.group_id, 7)
    shown = shown_runs(RUNS, EDGES, LineageView(grouped=True, expand=frozenset({group.group_id, "gone"})))
    assert (shown.runs, shown.edges, shown.groups, shown.overlays) == (RUNS, EDGES, [], None)
    assert shown.unknown_groups == ["gone"]


NAMES = st.sampled_from([f"r{number}" for number in range(12)])


@settings(max_examples=150)
@given(
    births=st.dictionaries(NAMES, st.sampled_from(["r0", "r1"])),
    failed=st.sets(NAMES, max_size=3),
    others=st.sets(NAMES, max_size=3),
)
def test_nothing_is_lost(births: dict[str, str], failed: set[str], others: set[str]) -> None:
    runs = [run(f"r{number}", "failed" if f"r{number}" in failed else "completed") for number in range(12)]
    edges = [born(parent, child, at) for at, (child, parent) in enumerate(births.items()) if child != parent]
    edges += map(retried, sorted(others))
    shown = shown_runs(runs, edges, GROUPED)
    grouped = [run_id for group in shown.groups for run_id in group.run_ids]
    assert sorted([*(one.run_id for one in shown.runs), *grouped]) == sorted(one.run_id for one in runs)
    assert not failed & set(grouped)
    assert len(shown.edges) + sum(group.edge_count for group in shown.groups) == len(edges)
    told = sum(edge.cost_attributed for edge in shown.edges) + sum(group.cost for group in shown.groups)
    assert told == sum(edge.cost_attributed for edge in edges)
    assert all(edge.source not in grouped for edge in shown.edges)


def test_words_that_are_no_view_are_refused() -> None:
    assert checked_view() == LineageView()
    with pytest.raises(InvalidQuery, match="'some' is none of all, grouped"):
        checked_view(siblings="some")
