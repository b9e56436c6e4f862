"""Every registered projection keeps the laws, whatever it is fed."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from projections.hostile_histories import histories
from projections.laws import (
    AnyProjection,
    answer,
    assert_any_order_and_repeats,
    assert_causes_run_forward,
    assert_finished_states_go_on,
    assert_snapshot_and_rest,
    assert_well_formed,
    fold,
    queries,
)
from projections.random_histories import random_history

from relayna.projections.execution import GraphQuery
from relayna.projections.graph import encode_graph
from relayna.projections.projection import Item
from relayna.projections.registry import PROJECTIONS

every_projection = pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
FIRST_SEED = 20_260_101


@every_projection
@settings(max_examples=60)
@given(items=histories, query=queries, chance=st.randoms(use_true_random=False))
def test_any_order_and_any_repeats_give_the_same_bytes(
    projection: AnyProjection, items: list[Item], query: GraphQuery, chance: random.Random
) -> None:
    assert_any_order_and_repeats(projection, items, query, chance, shuffles=3)


@every_projection
@settings(max_examples=60)
@given(items=histories, query=queries, data=st.data())
def test_a_snapshot_and_the_rest_are_all(
    projection: AnyProjection, items: list[Item], query: GraphQuery, data: Any
) -> None:
    assert_snapshot_and_rest(projection, items, data.draw(st.integers(0, len(items))), query)


@every_projection
@settings(max_examples=40)
@given(items=histories, query=queries, data=st.data())
def test_a_finished_state_takes_more_and_answers_like_the_whole(
    projection: AnyProjection, items: list[Item], query: GraphQuery, data: Any
) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(items)), max_size=3))
    assert_finished_states_go_on(projection, items, cuts, query)


@settings(max_examples=300)
@given(items=histories, query=queries)
def test_whatever_is_recorded_the_graph_is_well_formed(items: list[Item], query: GraphQuery) -> None:
    projection = PROJECTIONS[0]
    graph = projection.finish(fold(projection, items), query)
    assert_well_formed(graph)


def histories_and_shuffles(histories_wanted: int, shuffles: int) -> None:
    """T21: random realistic histories, shuffled with repeats."""
    for seed in range(FIRST_SEED, FIRST_SEED + histories_wanted):
        projection = PROJECTIONS[seed % len(PROJECTIONS)]
        items = random_history(seed)
        try:
            assert_any_order_and_repeats(projection, items, GraphQuery(), random.Random(seed), shuffles)
        except AssertionError:
            pytest.fail(f"the history of seed {seed} depends on the order")


def test_realistic_histories_in_any_order() -> None:
    histories_and_shuffles(200, 20)


@pytest.mark.soak
def test_realistic_histories_in_any_order_at_full_size() -> None:
    histories_and_shuffles(2_000, 20)


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + 60))
def test_realistic_graphs_are_well_formed_and_acyclic(seed: int) -> None:
    projection = PROJECTIONS[0]
    graph = projection.finish(fold(projection, random_history(seed)), GraphQuery(depth=9))
    assert_well_formed(graph)
    assert_causes_run_forward(graph)
    inferred = [edge for edge in graph.edges if edge.annotations["evidence"] == "inferred"]
    assert inferred == []  # our own consumers leave nothing to guess
    assert "cycle" not in graph.annotations.get("completeness", [])


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + 20))
def test_finishing_twice_gives_the_same(seed: int) -> None:
    projection = PROJECTIONS[0]
    items = random_history(seed)
    state = fold(projection, items)
    first = encode_graph(projection.finish(state, GraphQuery()))
    projection.finish(state, GraphQuery(at=0, max_nodes=1, depth=0))
    assert (
        encode_graph(projection.finish(state, GraphQuery()))
        == first
        == answer(projection, items, GraphQuery())
    )
