from __future__ import annotations

from typing import get_args

from observability.sample_graphs import GraphSketch, failing_run, fan_in

from relayna.observability import graph_figure as module
from relayna.observability.graph_figure import COLOURS, graph_figure
from relayna.projections.graph import EdgeKind, NodeKind, NodeState
from relayna.projections.graph_view import shown


def test_every_kind_of_node_and_edge_and_every_state_is_known() -> None:
    assert set(module._SHAPES) == set(get_args(NodeKind))
    assert set(module._EDGE_LABELS) == set(get_args(EdgeKind))
    assert set(COLOURS) == set(get_args(NodeState))


def test_a_box_says_what_it_is_and_what_went_wrong() -> None:
    figure = graph_figure(failing_run())
    assert figure.nodes[1].lines == ("order-7 attempt 1", "failed, TimeoutError, lost_ack")
    assert (figure.nodes[1].shape, figure.nodes[1].style) == ("box", "failed")
    assert figure.notes == ["partial: gap"]
    assert figure.first[0] == "task:order-7"


def test_a_state_that_is_not_known_is_none_but_a_dead_letter_has_its_own() -> None:
    sketch = GraphSketch().node("a", "task", "a", state="odd").node("b", "dlq_record", "b", state="odd")
    assert [node.style for node in graph_figure(sketch.graph()).nodes] == [None, "dead_lettered"]


def test_a_part_says_for_how_much_more_it_stands() -> None:
    figure = graph_figure(shown(fan_in(children=12, failing=3), collapse=["children"]))
    assert figure.nodes[1].lines == ("child-000", "succeeded, stands for 11 alike")
    assert figure.notes == ["folded: 22 more nodes are not shown"]
    assert graph_figure(shown(failing_run(), view="causal")).notes == [
        "partial: gap",
        "view causal: 4 more nodes are not shown",
    ]
