"""Who names whom as a parent, and circles of such names."""

from __future__ import annotations

from typing import Any

import networkx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from projections.plain_histories import at, plain_items

from relayna.projections.kinship import Kinship, children_by_parent, parent_told_by, runs_in_circle


@pytest.mark.parametrize(
    ("fields", "parent"),
    [
        ({"parent_task_id": "P"}, "P"),
        ({"meta": {"parent_task_id": "P"}}, "P"),
        ({"parent_task_id": "P", "meta": {"parent_task_id": "Q"}}, "P"),
        ({"meta": {"parent_task_id": 7}}, None),
        ({"parent_task_id": "C"}, None),
        ({"parent_task_id": ""}, None),
        ({}, None),
    ],
)
def test_the_parent_that_an_event_names(fields: dict[str, Any], parent: str | None) -> None:
    (event,) = plain_items("C", statuses=[at(0, status="s", **fields)])
    assert parent_told_by(event) == parent  # type: ignore[arg-type]


def test_children_by_their_own_word() -> None:
    (early,) = plain_items("C", statuses=[at(0, status="s", parent_task_id="P")])
    (late,) = plain_items("D", statuses=[at(9, status="s", parent_task_id="P")])
    histories: Any = {"C": {"c": early}, "D": {"d": late}, "P": {}}
    assert children_by_parent(histories, root="P", at=None) == {"P": {"C", "D"}}  # type: ignore[arg-type]
    by_then = early.envelope.timestamp  # type: ignore[union-attr]
    assert children_by_parent(histories, root="P", at=by_then) == {"P": {"C"}}  # type: ignore[arg-type]
    assert children_by_parent(histories, root="C", at=None) == {"P": {"D"}}  # type: ignore[arg-type]


pairs = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12)


@given(pairs=pairs)
def test_circles_are_those_of_graph_theory(pairs: list[tuple[int, int]]) -> None:
    kinships = [Kinship(parent=str(parent), child=str(child)) for parent, child in pairs]  # type: ignore[arg-type]
    assert runs_in_circle(kinships) is not networkx.is_directed_acyclic_graph(networkx.DiGraph(pairs))
