"""Flowcharts: ids, shapes, and what is kept when not all fits. Syntax is checked in tests/mermaid."""

from __future__ import annotations

from relayna.topologies.flowchart import (
    EDGE_LIMIT,
    SOURCE_LIMIT,
    FlowchartEdge,
    FlowchartNode,
    flowchart,
)


def nodes(count: int, *, text: str = "text") -> list[FlowchartNode]:
    return [FlowchartNode(key=f"key {number}", lines=(f"{text} {number}",)) for number in range(count)]


def fan(count: int) -> list[FlowchartEdge]:
    return [FlowchartEdge(source="key 0", target=f"key {number}") for number in range(1, count)]


def test_a_small_one_in_full() -> None:
    drawn = flowchart(
        [
            FlowchartNode(key="a", lines=("A", "first"), shape="stadium", style="red"),
            FlowchartNode(key="b", lines=("B",), shape="hexagon"),
        ],
        [
            FlowchartEdge(source="a", target="b", label='by "x"', is_dotted=True),
            FlowchartEdge(source="b", target="a"),
        ],
        styles={"red": "fill:#f00", "unused": "fill:#0f0"},
        notes=["partial"],
    )
    assert drawn == (
        "flowchart TD\n"
        '  note0["partial"]:::note\n'
        '  n0(["A<br/>first"]):::red\n'
        '  n1{{"B"}}\n'
        '  n0 -.->|"by #quot;x#quot;"| n1\n'
        "  n1 --> n0\n"
        "  classDef red fill:#f00\n"
        "  classDef note fill:#fff8dc,stroke:#b8860b,stroke-dasharray:4,color:#333\n"
    )


def test_keys_never_reach_the_drawing() -> None:
    assert "key" not in flowchart(nodes(3), fan(3), styles={})


def test_nothing_is_cut_up_to_the_limit() -> None:
    drawn = flowchart(nodes(EDGE_LIMIT + 1), fan(EDGE_LIMIT + 1), styles={})
    assert drawn.count("-->") == EDGE_LIMIT
    assert "cut" not in drawn


def test_a_cut_is_said() -> None:
    drawn = flowchart(nodes(600), fan(600), styles={})
    assert "cut: 501 of 600 nodes and 500 of 599 edges are drawn" in drawn


def test_what_comes_first_is_kept_whatever_its_place() -> None:
    drawn = flowchart(nodes(2_000), fan(2_000), styles={}, first=["key 1999", "nowhere", "key 0"])
    assert "text 1999" in drawn
    assert "n0 --> n1999" in drawn


def test_the_source_stays_within_its_limit_as_javascript_counts() -> None:
    drawn = flowchart(nodes(501, text="🧨" * 190), fan(501), styles={})
    assert 0.8 * SOURCE_LIMIT < len(drawn.encode("utf-16-le")) // 2 <= SOURCE_LIMIT


def test_an_edge_to_nowhere_is_left_out_and_counted() -> None:
    drawn = flowchart(nodes(1), [FlowchartEdge(source="key 0", target="nowhere")], styles={})
    assert "cut: 1 of 1 nodes and 0 of 1 edges are drawn" in drawn


def test_an_empty_one_is_still_a_flowchart() -> None:
    assert flowchart([], [], styles={}) == "flowchart TD\n"
