"""How often agents' runs end well: the worked numbers, and that counting one by one is counting all at once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from relayna.instants import Instant
from relayna.projections.lineage import reliability
from relayna.projections.lineage.reliability import (
    AgentReliability,
    ReliabilityTally,
    agent_reliability,
)
from relayna.projections.lineage.run_edges import Run, RunEdge, RunEdgeKind, RunLineage


def run(number: int, agent: str | None, status: str | None, started_at: int = 1) -> Run:
    return Run(
        run_id=f"R{number}", session_id="S", agent=agent, status=status, started_at=Instant(started_at)
    )


def edge(kind: RunEdgeKind, target: str, source: str | None = None) -> RunEdge:
    return RunEdge(
        edge_id=f"{kind}-{target}", kind=kind, source=source, target=target, at=Instant(1), session_id="S"
    )


def lineage_of(*runs: Run, edges: tuple[RunEdge, ...] = ()) -> RunLineage:
    return RunLineage(runs={one.run_id: one for one in runs}, edges=list(edges))


def test_what_ended_well_among_what_ended() -> None:
    statuses = ["completed", "completed", "failed", "dead_lettered", "cancelled", "running", "printing", None]
    runs = [run(number, "clerk", status) for number, status in enumerate(statuses)]
    edges = (
        edge("user_start", "R0"),
        edge("spawn", "R1", "R0"),
        edge("retry", "R2", "R2"),
        edge("resume", "X"),
    )
    assert agent_reliability(lineage_of(*runs, edges=edges)) == [
        AgentReliability(
            agent="clerk", completed=2, failed=1, dead_lettered=1, running=3, cancelled=1, success=0.5,
            by_kind={"retry": 1, "spawn": 1, "user_start": 1},
        )
    ]  # fmt: skip


@pytest.mark.parametrize("status", ["running", "cancelled", None])
def test_with_no_run_that_ended_success_is_not_known(status: str | None) -> None:
    [found] = agent_reliability(lineage_of(run(1, None, status)))
    assert (found.agent, found.success) == ("unknown", None)


def test_nothing_that_ended_well_is_0() -> None:
    [found] = agent_reliability(lineage_of(run(1, "clerk", "failed")))
    assert found.success == 0


def test_a_run_counts_for_who_ended_it() -> None:
    [found] = agent_reliability(lineage_of(replace(run(1, "price", "failed"), ended_by="charge")))
    assert (found.agent, found.failed) == ("charge", 1)


def test_what_began_before_does_not_count() -> None:
    lineage = lineage_of(run(1, "clerk", "failed", 4), run(2, "clerk", "completed", 5))
    [found] = agent_reliability(lineage, since=Instant(5))
    assert (found.completed, found.failed) == (1, 0)


def test_it_holds_on_to_so_many_agents_and_says_what_it_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reliability, "MOST_AGENTS", 2)
    tally = ReliabilityTally()
    for number, agent in enumerate(["b", "a", "c", "a", "c"]):
        tally.take(run(number, agent, "completed"), [])
    assert [(one.agent, one.completed) for one in tally.agents()] == [("a", 2), ("b", 1)]
    assert tally.left_out == 2


AGENTS = st.sampled_from(["a", "b", None])
STATUSES = st.sampled_from(["completed", "failed", "dead_lettered", "cancelled", "running", "odd", None])


@settings(max_examples=100)
@given(
    drawn=st.lists(st.tuples(AGENTS, STATUSES, st.sampled_from(["spawn", "retry"])), max_size=12),
    data=st.data(),
)
def test_counted_one_by_one_in_any_order_it_is_the_same(
    drawn: list[tuple[str | None, str | None, RunEdgeKind]], data: st.DataObject
) -> None:
    runs = [run(number, agent, status) for number, (agent, status, _) in enumerate(drawn)]
    edges = [edge(kind, f"R{number}") for number, (_, _, kind) in enumerate(drawn)]
    at_once = agent_reliability(lineage_of(*runs, edges=tuple(edges)))
    tally = ReliabilityTally()
    for number in data.draw(st.permutations(range(len(runs)))):
        tally.take(runs[number], [edges[number]])
    assert tally.agents() == at_once
    for found in at_once:
        ended = found.completed + found.failed + found.dead_lettered
        assert sum(found.by_kind.values()) == ended + found.running + found.cancelled
        assert (found.success is None) == (ended == 0)
