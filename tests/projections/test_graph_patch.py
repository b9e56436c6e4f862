"""Patches of graphs: a snapshot and its patches are the rebuilt graph, to the byte, for any history and any cuts."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from projections.hostile_histories import histories
from projections.laws import fold, queries
from projections.random_histories import random_history

from relayna.projections.execution import GraphQuery
from relayna.projections.graph import ExecutionGraph, encode_graph
from relayna.projections.graph_patch import GraphPatch, apply_patch, diff_graphs
from relayna.projections.keyed_sequence import PatchDoesNotFit
from relayna.projections.projection import Item
from relayna.projections.registry import PROJECTIONS
from relayna.testing import history


def graph_of(items: Sequence[Item], query: GraphQuery | None = None, root: str = "root") -> ExecutionGraph:
    projection = PROJECTIONS[0]
    return projection.finish(fold(projection, items, root), query or GraphQuery())


def over_the_wire(patch: GraphPatch) -> GraphPatch:
    return msgspec.json.decode(msgspec.json.encode(patch), type=GraphPatch)


def assert_snapshot_and_patches(items: Sequence[Item], cuts: Sequence[int], query: GraphQuery) -> None:
    """What a client holds after each patch is what the service would build, and its bytes are the same."""
    held = msgspec.json.decode(encode_graph(graph_of(items[: cuts[0]], query)), type=ExecutionGraph)
    older = graph_of(items[: cuts[0]], query)
    for cut in cuts[1:]:
        newer = graph_of(items[:cut], query)
        held = apply_patch(held, over_the_wire(diff_graphs(older, newer)))
        assert encode_graph(held) == encode_graph(newer)
        older = newer


@settings(max_examples=150)
@given(items=histories, query=queries, data=st.data())
def test_whatever_is_recorded_a_snapshot_and_patches_are_all(
    items: list[Item], query: GraphQuery, data: Any
) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(items)), min_size=2, max_size=6))
    assert_snapshot_and_patches(items, cuts, query)


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), chance=st.randoms(use_true_random=False), query=queries)
def test_for_any_run_in_any_order_a_snapshot_and_patches_are_all(
    seed: int, chance: random.Random, query: GraphQuery
) -> None:
    """Also backwards, and with children whose records come before those of their parents, or long after."""
    items: list[Item] = list(random_history(seed))
    if chance.random() < 0.5:
        chance.shuffle(items)
    cuts = [chance.randint(0, len(items)) for _ in range(6)]
    assert_snapshot_and_patches(items, cuts, query)


@pytest.mark.parametrize("seed", range(20))
def test_every_step_of_a_run_is_a_patch(seed: int) -> None:
    items = random_history(seed)
    assert_snapshot_and_patches(items, range(len(items) + 1), GraphQuery())


class TestWhatIsTold:
    def test_a_patch_of_nothing_says_nothing(self) -> None:
        events = history("T").published().attempt().acked().events
        patch = diff_graphs(graph_of(events, root="T"), graph_of(events, root="T"), base="one", version="two")

        assert msgspec.json.decode(msgspec.json.encode(patch)) == {
            "base": "one",
            "version": "two",
            "nodes_removed": [],
            "nodes_set": [],
            "edges_removed": [],
            "edges_set": [],
            "related_task_ids_removed": [],
            "related_task_ids_set": [],
        }

    def test_one_more_status_is_one_node_and_one_edge(self) -> None:
        attempt = history("T", lifecycle_statuses=False).published().attempt().status("one").status("two")
        before = graph_of(attempt.events, root="T")
        patch = diff_graphs(before, graph_of(attempt.status("three").events, root="T"))

        (status,) = (one for one in patch.nodes_set if one.index is not None)
        assert (status.node.id, status.index) == ("status:T:3", len(before.nodes))
        assert [one.edge.kind for one in patch.edges_set if one.index is not None] == ["published_status"]
        assert (patch.nodes_removed, patch.edges_removed) == ([], [])

    def test_a_record_that_comes_late_renumbers_and_removes_nobody(self) -> None:
        run = history("T", lifecycle_statuses=False).published()
        first = run.attempt().retried(delay_ms=1)
        second = first.attempt().acked()
        late = [event for event in second.events if event.envelope.attempt_id == first.attempt_id]
        before = graph_of([event for event in second.events if event not in late], root="T")
        after = graph_of(second.events, root="T")
        patch = diff_graphs(before, after)

        renumbered = next(one for one in patch.nodes_set if one.node.annotations["ref"] == second.attempt_id)
        assert (renumbered.node.id, renumbered.index) == ("task-attempt:T:2", None)
        assert patch.nodes_removed == []
        assert encode_graph(apply_patch(before, patch)) == encode_graph(after)

    def test_a_new_child_is_a_related_task(self) -> None:
        attempt = history("T").published().attempt()
        before = graph_of(attempt.events, root="T")
        attempt.spawns("child-b")
        attempt.spawns("child-a")
        patch = diff_graphs(before, graph_of(attempt.events, root="T"))

        assert [(one.task_id, one.index) for one in patch.related_task_ids_set] == [
            ("child-a", 0),
            ("child-b", 1),
        ]

    def test_what_has_not_changed_is_shared(self) -> None:
        attempt = history("T").published().attempt()
        before = graph_of(attempt.events, root="T")
        after = apply_patch(before, diff_graphs(before, graph_of(attempt.status("two").events, root="T")))

        assert after.nodes[0] is before.nodes[0]


def test_a_patch_for_another_version_is_refused() -> None:
    attempt = history("T").published().attempt().status("one")
    older = graph_of(attempt.events, root="T")
    newer = graph_of(attempt.acked().events, root="T")
    with pytest.raises(PatchDoesNotFit):
        apply_patch(graph_of([], root="T"), diff_graphs(older, newer))
