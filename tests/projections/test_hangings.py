from __future__ import annotations

from observability.sample_graphs import GraphSketch, fan_in

from relayna.projections.hangings import hangings


def test_a_birth_outweighs_other_edges() -> None:
    sketch = GraphSketch()
    for node_id in ("task", "message", "retry", "attempt"):
        sketch.node(node_id, "task", node_id)
    sketch.edge("message", "entered_stage", "attempt", birth=False)
    sketch.edge("task", "published_status", "attempt")
    sketch.edge("retry", "received_by", "attempt")
    hanging = hangings(sketch.graph())["attempt"]
    assert (hanging.parent, hanging.edge.kind) == ("retry", "received_by")


def test_a_child_hangs_on_its_parent_though_its_edge_points_the_other_way() -> None:
    assert hangings(fan_in())["aggregation_child:child-000"].parent == "task:order-7"


def test_an_edge_to_nothing_and_one_to_itself_hold_nothing() -> None:
    sketch = GraphSketch().node("task", "task", "order-7")
    sketch.edge("task", "received_by", "task").edge("task", "received_by", "nowhere")
    assert hangings(sketch.graph()) == {}
