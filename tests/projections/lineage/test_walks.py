"""Walks along edges between runs, against a naive walk over networkx and by their laws."""

from __future__ import annotations

from itertools import pairwise

import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayna.instants import Instant
from relayna.projections.lineage.run_edges import RunEdge
from relayna.projections.lineage.walks import birth_chain, walk_down, walk_up

names = st.sampled_from([f"R{number}" for number in range(7)])


@st.composite
def some_edges(draw: st.DrawFn) -> list[RunEdge]:
    drawn = draw(st.lists(st.tuples(names, names, st.integers(0, 9)), max_size=25))
    return [
        RunEdge(
            edge_id=f"e{number}", kind="retry" if source == target else "spawn", source=source, target=target,
            at=Instant(at), session_id="s", is_birth=source != target,
        )
        for number, (source, target, at) in enumerate(drawn)
    ]  # fmt: skip


def reachable_in_time(edges: list[RunEdge], start: str) -> set[str]:
    """The slow way: every state of a run and a time of arrival."""
    states = {(start, -1)}
    waiting = [(start, -1)]
    while waiting:
        run, time = waiting.pop()
        for edge in edges:
            reached = (edge.target, edge.at)
            if edge.source == run and edge.at >= time and reached not in states:
                states.add(reached)
                waiting.append(reached)
    return {run for run, _ in states}


@settings(max_examples=300, deadline=None)
@given(edges=some_edges(), start=names)
def test_in_time_it_reaches_what_can_be_reached_in_time(edges: list[RunEdge], start: str) -> None:
    walk = walk_down(edges, start, max_hops=50)
    assert set(walk.runs) == reachable_in_time(edges, start)
    ids = [hop.edge.edge_id for hop in walk.hops]
    assert len(ids) == len(set(ids))
    assert all(hop.edge.source in walk.runs for hop in walk.hops)


@settings(max_examples=200, deadline=None)
@given(edges=some_edges(), start=names)
def test_regardless_of_time_it_reaches_what_the_graph_does(edges: list[RunEdge], start: str) -> None:
    graph = networkx.MultiDiGraph()
    graph.add_node(start)
    graph.add_edges_from((edge.source, edge.target) for edge in edges)
    down = walk_down(edges, start, max_hops=50, causal=False)
    up = walk_up(edges, start, max_hops=50, causal=False)
    assert set(down.runs) == {start} | networkx.descendants(graph, start)
    assert set(up.runs) == {start} | networkx.ancestors(graph, start)
    lengths = networkx.single_source_shortest_path_length(graph, start)
    assert down.runs == dict(lengths)


@settings(max_examples=200, deadline=None)
@given(edges=some_edges(), start=names, limit=st.integers(1, 4))
def test_it_is_truncated_exactly_when_a_longer_walk_finds_more(
    edges: list[RunEdge], start: str, limit: int
) -> None:
    short, whole = (walk_down(edges, start, max_hops=hops) for hops in (limit, 50))
    assert short.truncated == (len(short.hops) < len(whole.hops))


@settings(max_examples=100, deadline=None)
@given(edges=some_edges(), start=names)
def test_births_run_back_and_end(edges: list[RunEdge], start: str) -> None:
    chain = birth_chain(edges, start)
    targets = [edge.target for edge in chain]
    assert len(targets) == len(set(targets))
    assert all(one.source == other.target for one, other in pairwise(chain))


@pytest.mark.parametrize("walk", [walk_down, walk_up])
def test_a_run_that_nothing_is_known_of_is_alone(walk: object) -> None:
    found = walk([], "R1")  # type: ignore[operator]
    assert (found.runs, found.hops, found.truncated) == ({"R1": 0}, [], False)
