"""The sheet: ids of nodes, the order of the output, and what a limit of nodes keeps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from relayna.instants import UNTIMED, Instant
from relayna.projections.drawing import Drawing, annotated, node_id

parts = st.lists(st.text(":%3A25x", max_size=4), min_size=1, max_size=3)


@given(one=parts, other=parts)
def test_ids_are_equal_only_when_their_parts_are(one: list[str], other: list[str]) -> None:
    assert (node_id("kind", *one) == node_id("kind", *other)) is (one == other)


def drawn(*times: int | None) -> Drawing:
    drawing = Drawing()
    for number, time in enumerate(times):
        drawing.node(
            f"n{number}", "status_event", task_id="T", label="s", time=None if time is None else Instant(time),
            annotations=annotated(f"r{number}", {"empty": None, "number": number}),
        )  # fmt: skip
    return drawing


def test_nodes_come_by_time_and_null_annotations_are_left_out() -> None:
    nodes = drawn(2_000_000, None, 1_000_000).nodes()
    assert [node.id for node in nodes] == ["n1", "n2", "n0"]
    assert nodes[0].annotations == {"ref": "r1", "number": 1}


def test_the_run_reaches_from_the_earliest_to_the_latest_time() -> None:
    drawing = drawn(5, UNTIMED, 3, None)
    assert (drawing.earliest, drawing.latest) == (3, 5)
    drawing.reaches(Instant(9))
    drawing.reaches(UNTIMED)
    drawing.reaches(None)
    drawing.reaches(Instant(1))
    assert (drawing.earliest, drawing.latest) == (3, 9)


def test_a_cut_keeps_what_hangs_on_kept_nodes() -> None:
    drawing = drawn(0, 1, 2, 3)  # n0 is the root, n1 hangs on n3
    for source, target in (("n0", "n2"), ("n0", "n3"), ("n3", "n1")):
        drawing.edge(source, target, "received_by", time=None, evidence="observed")
    drawing.edge("n2", "n1", "joined_from", time=None, evidence="observed")
    drawing.edge("n2", "n1", "entered_stage", time=None, evidence="observed", more={"birth": False})
    assert drawing.cut(3) == 1
    assert {node.id for node in drawing.nodes()} == {"n0", "n2", "n3"}
    assert {(edge.source, edge.target) for edge in drawing.edges()} == {("n0", "n2"), ("n0", "n3")}


def test_children_hang_on_the_parents_that_they_point_to() -> None:
    drawing = drawn(0, 1)
    drawing.edge("n1", "n0", "aggregated_into", time=None, evidence="observed")
    assert drawing.cut(2) == 0
    assert drawing.size == 2
