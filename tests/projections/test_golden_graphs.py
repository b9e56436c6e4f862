"""Graphs as they were released, byte for byte. `golden_histories.py` says how they are renewed on purpose."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from projections.golden_histories import GOLDEN_HISTORIES, golden_graph, golden_path, printed
from projections.laws import assert_causes_run_forward, assert_well_formed

from relayna.projections.projection import Item

every_story = pytest.mark.parametrize("story", GOLDEN_HISTORIES, ids=lambda story: story.__name__)


@every_story
def test_the_graph_is_what_it_was(story: Callable[[], list[Item]]) -> None:
    graph = golden_graph(story)
    assert_well_formed(graph)
    assert_causes_run_forward(graph)
    assert printed(graph).decode() == golden_path(story).read_text(encoding="utf-8")


def test_every_file_has_a_history() -> None:
    folder = golden_path(GOLDEN_HISTORIES[0]).parent
    assert {path.name for path in folder.iterdir()} == {golden_path(story).name for story in GOLDEN_HISTORIES}
