"""The worked session S of the design, by exact value."""

from __future__ import annotations

from relayna.instants import Instant
from relayna.projections.lineage.run_edges import BIRTH_KINDS, Run, RunEdge, RunEdgeKind, RunLineage, dollars
from relayna.projections.lineage.session_graph import downstream_graph, session_graph
from relayna.projections.lineage.walks import birth_chain, walk_down, walk_up

SECOND = 1_000_000


def edge(at: int, kind: RunEdgeKind, source: str | None, target: str, *costs: int) -> RunEdge:
    """An edge at that second; costs are cents and tokens."""
    cents, tokens = costs or (0, 0)
    return RunEdge(
        edge_id=f"e{at}", kind=kind, source=source, target=target, at=Instant(at * SECOND), session_id="S",
        is_birth=kind in BIRTH_KINDS, cost_attributed=cents * 10_000, tokens_attributed=tokens,
    )  # fmt: skip


EDGES = [
    edge(0, "user_start", None, "R1"),
    edge(1, "spawn", "R1", "R2", 10, 100),
    edge(2, "spawn", "R1", "R3", 20, 200),
    edge(3, "spawn", "R2", "R4", 3, 30),
    edge(4, "retry", "R4", "R4", 2, 20),
    edge(5, "resume", "R2", "R1"),
    edge(6, "signal_fire", "R3", "R5", 1, 10),
    edge(7, "timer_fire", "R1", "R1"),
    edge(8, "cross_session_bridge", "R0", "R6"),
]
RUNS = {
    "R0": Run(run_id="R0", session_id="S0", started_at=Instant(0)),
    **{
        f"R{number}": Run(run_id=f"R{number}", session_id="S", started_at=Instant(begun * SECOND))
        for number, begun in ((1, 0), (2, 1), (3, 2), (4, 3), (5, 6), (6, 8))
    },
}
LINEAGE = RunLineage(runs=RUNS, edges=EDGES)


def test_the_session() -> None:
    graph = session_graph(LINEAGE, "S")
    assert (graph.stats.run_count, graph.stats.edge_count) == (6, 9)
    assert (dollars(graph.stats.total_cost), graph.stats.total_tokens) == ("0.3600", 360)
    assert graph.stats.root_run_ids == ["R1", "R6"]


def test_the_session_as_it_was() -> None:
    graph = session_graph(LINEAGE, "S", at=Instant(4 * SECOND))
    assert graph.stats.edge_count == 5
    assert [run.run_id for run in graph.runs] == ["R1", "R2", "R3", "R4"]


def test_a_bridge_is_shown_in_both_sessions() -> None:
    graph = session_graph(LINEAGE, "S0")
    assert [one.kind for one in graph.edges] == ["cross_session_bridge"]
    assert [run.run_id for run in graph.runs] == ["R0"]


def test_downstream() -> None:
    graph = downstream_graph(LINEAGE, "R1")
    assert (graph.counts.total_runs, graph.counts.total_edges) == (5, 7)
    assert {run.run_id for run in graph.nodes} == {"R1", "R2", "R3", "R4", "R5"}
    assert not graph.truncated


def test_downstream_by_kind() -> None:
    graph = downstream_graph(LINEAGE, "R1", kinds=("spawn",))
    assert (graph.counts.total_runs, graph.counts.total_edges) == (4, 3)
    assert dollars(graph.cost_total) == "0.3300"
    assert graph.counts.by_kind == {"spawn": 3}


def test_upstream() -> None:
    walk = walk_up(EDGES, "R4")
    assert [(hop.hop, hop.edge.kind) for hop in walk.hops] == [
        (1, "spawn"),
        (1, "retry"),
        (2, "spawn"),
        (3, "user_start"),
    ]


def test_why() -> None:
    chain = birth_chain(EDGES, "R4")
    assert [(one.source, one.kind) for one in chain] == [
        ("R2", "spawn"),
        ("R1", "spawn"),
        (None, "user_start"),
    ]


def test_the_limit_is_told() -> None:
    assert walk_down(EDGES, "R1", max_hops=1).truncated
    assert not walk_down(EDGES, "R5", max_hops=1).truncated
