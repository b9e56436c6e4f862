"""Runs beside each other: differences, reliability, and siblings drawn as one."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from relayna.instants import Instant
from relayna.projections.lineage.diff import diff_runs
from relayna.projections.lineage.reliability import agent_reliability
from relayna.projections.lineage.run_edges import Run, RunEdge, RunEdgeKind, RunLineage
from relayna.projections.lineage.session_graph import downstream_graph
from relayna.projections.lineage.siblings import group_siblings


def run(run_id: str, agent: str = "worker", status: str | None = "completed", began: int = 0) -> Run:
    return Run(
        run_id=run_id, session_id="s", agent=agent, workflow="w", status=status,
        started_at=Instant(began), ended_at=Instant(began + 1_000_000),
    )  # fmt: skip


def born(source: str, target: str, at: int, kind: RunEdgeKind = "spawn", cost: int = 0) -> RunEdge:
    return RunEdge(
        edge_id=f"{source}>{target}", kind=kind, source=source, target=target, at=Instant(at), session_id="s",
        is_birth=True, cost_attributed=cost,
    )  # fmt: skip


def lineage(runs: list[Run], edges: list[RunEdge]) -> RunLineage:
    return RunLineage(runs={one.run_id: one for one in runs}, edges=edges)


def test_two_runs_are_matched_by_how_they_came_about() -> None:
    known = lineage(
        [run("a"), run("a1"), run("a2", "other"), run("b"), run("b1", status="failed"), run("b2")],
        [born("a", "a1", 1, cost=5), born("a", "a2", 2), born("b", "b1", 1, cost=7), born("b", "b2", 2)],
    )
    found = diff_runs(downstream_graph(known, "a"), downstream_graph(known, "b"))
    assert [(one.a, one.b, one.status_changed) for one in found.matched] == [
        ("a", "b", False),
        ("a1", "b1", True),
    ]
    assert (found.only_in_a, found.only_in_b) == (["a2"], ["b2"])
    assert (found.cost_delta, found.status_changes, found.duration_delta_ms) == (2, 1, 0)
    assert [(one.kind, one.delta) for one in found.by_kind] == [("spawn", 0)]


names = st.sampled_from("abcdefg")


@settings(max_examples=150, deadline=None)
@given(pairs=st.lists(st.tuples(names, names), max_size=15))
def test_a_run_beside_itself_is_all_zero(pairs: list[tuple[str, str]]) -> None:
    edges = [born(one, other, at) for at, (one, other) in enumerate(dict.fromkeys(pairs)) if one != other]
    graph = downstream_graph(lineage([run(name) for name in "abcdefg"], edges), "a")
    found = diff_runs(graph, graph)
    assert (found.only_in_a, found.only_in_b, found.status_changes) == ([], [], 0)
    assert (found.cost_delta, found.tokens_delta, found.duration_delta_ms) == (0, 0, 0)
    assert all(one.a == one.b for one in found.matched)
    assert {one.a for one in found.matched} == {one.run_id for one in graph.nodes}


def test_reliability_counts_what_ended() -> None:
    statuses = ["completed", "completed", "failed", "dead_lettered", "running", "cancelled"]
    known = lineage(
        [
            *(run(f"r{number}", "a", status) for number, status in enumerate(statuses)),
            run("x", "b", "running"),
        ],
        [born("p", "r0", 1)],
    )
    first, second = agent_reliability(known)
    assert (first.completed, first.failed, first.dead_lettered) == (2, 1, 1)
    assert (first.running, first.cancelled, first.success, first.by_kind) == (1, 1, 0.5, {"spawn": 1})
    assert (second.agent, second.success) == ("b", None)


def test_reliability_of_a_window() -> None:
    known = lineage([run("old", began=0), run("new", began=100)], [])
    [found] = agent_reliability(known, since=Instant(50))
    assert found.completed == 1


def test_siblings_alike_are_one_and_failures_stay_visible() -> None:
    children = [run(f"c{number}") for number in range(7)]
    runs = {one.run_id: one for one in [run("p"), *children, run("bad", status="failed"), run("leaf")]}
    edges = [born("p", f"c{number}", number, cost=2) for number in range(7)]
    edges += [born("p", "bad", 8), born("c6", "leaf", 9)]
    [group] = group_siblings(runs, edges)
    assert group.run_ids == [f"c{number}" for number in range(6)]
    assert (group.by_status, group.cost, group.first_at, group.last_at) == ({"completed": 6}, 12, 0, 5)


def test_four_are_shown_one_by_one() -> None:
    runs = {one.run_id: one for one in [run("p"), *(run(f"c{number}") for number in range(4))]}
    assert group_siblings(runs, [born("p", f"c{number}", number) for number in range(4)]) == []
