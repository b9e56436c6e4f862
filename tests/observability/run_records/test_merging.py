"""What streams and records tell, together: who is believed, and that nothing is earlier than what led to it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from relayna.instants import Instant
from relayna.observability.run_records.encoding import KeptRun, ParentsWord
from relayna.observability.run_records.merging import as_it_was, merged
from relayna.projections.lineage.run_edges import Run, RunEdge, RunEdgeKind, RunLineage

NOTHING = RunLineage(runs={}, edges=[])


def run(run_id: str, **known: object) -> Run:
    return Run(run_id=run_id, session_id="S", **known)  # type: ignore[arg-type]


def birth(
    source: str | None, target: str, at: int, *, kind: RunEdgeKind = "spawn", name: str = ""
) -> RunEdge:
    return RunEdge(
        edge_id=name or f"{source}-{target}", kind=kind, source=source, target=target, at=Instant(at),
        session_id="S", is_birth=True,
    )  # fmt: skip


def test_of_a_run_whose_stream_was_read_its_stream_is_believed() -> None:
    told = RunLineage(
        runs={"a": run("a", status="completed")}, edges=[birth(None, "a", 1, kind="user_start")]
    )
    record = KeptRun(run("a", status="running"), [birth("z", "a", 1)])

    assert merged(told, [record], read={"a"}) == told
    assert merged(told, [record], read=()).runs["a"].status == "running"
    assert [edge.kind for edge in merged(told, [record], read=()).edges] == ["spawn"]


def test_a_run_has_one_birth_and_the_better_word_stands() -> None:
    dispatch = replace(birth("a", "b", 3), label="first")
    told = RunLineage(runs={"a": run("a"), "b": run("b")}, edges=[dispatch])
    for weak in (
        birth(None, "b", 1, kind="user_start"),
        birth("a", "b", 1, kind="span_tree_fallback", name="x"),
    ):
        assert merged(told, [KeptRun(run("b"), [weak])], read={"a"}).edges == [dispatch]
    used = replace(birth("a", "b", 3), cost_attributed=7)
    found = merged(told, [KeptRun(run("b"), [used])], read={"a"}).edges
    assert found == [replace(used, label="first")]


def test_what_a_parent_said_of_a_birth_is_shown_with_it() -> None:
    word = ParentsWord("a-b", "handoff", "second", "group")
    found = merged(
        NOTHING, [KeptRun(run("a"), [], [word]), KeptRun(run("b"), [birth("a", "b", 3)])], read=()
    ).edges

    assert [(edge.variant, edge.label, edge.group_key) for edge in found] == [("handoff", "second", "group")]


def test_a_run_heard_of_again_goes_on_with_its_first_record() -> None:
    first = KeptRun(run("b", agent="worker", started_at=Instant(3), status="running"), [birth("a", "b", 2)])
    again = KeptRun(
        run("b", ended_at=Instant(90), status="completed"),
        [replace(birth("b", "b", 80, kind="retry"), is_birth=False)],
    )
    for records in ([first, again], [again, first]):
        found = merged(NOTHING, records, read=())
        assert found.runs["b"] == run(
            "b", agent="worker", started_at=Instant(3), ended_at=Instant(90), status="completed"
        )
        assert [edge.kind for edge in found.edges] == ["spawn", "retry"]


chains = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 50)), min_size=1, max_size=8)


@given(chains)
def test_no_edge_is_earlier_than_the_birth_of_where_it_comes_from(told: list[tuple[int, int]]) -> None:
    """Each run has a parent among those before it, or, in a circle, after it."""
    records = [
        KeptRun(run(f"r{n}"), [birth(f"r{parent}", f"r{n}", at)]) for n, (parent, at) in enumerate(told)
    ]
    found = merged(NOTHING, records, read=())
    born = {edge.target: edge for edge in found.edges}

    def goes_back_to_an_origin(run_id: str) -> bool:
        seen: set[str] = set()
        while run_id in born and run_id not in seen:
            seen.add(run_id)
            run_id = born[run_id].source or ""
        return run_id not in seen

    for edge in found.edges:
        if edge.source in born and goes_back_to_an_origin(edge.target):
            assert born[edge.source].at <= edge.at
    assert len(found.edges) == len(told)


def test_a_record_as_it_was_knows_no_later_end() -> None:
    kept = KeptRun(
        run("a", started_at=Instant(2), ended_at=Instant(9), status="failed"),
        [birth(None, "a", 1, kind="user_start"), replace(birth("a", "a", 5, kind="retry"), is_birth=False)],
    )

    assert as_it_was(kept, Instant(9)) == kept
    assert as_it_was(kept, Instant(4)).run == run("a", started_at=Instant(2), status="running")
    assert len(as_it_was(kept, Instant(4)).edges) == 1
    assert as_it_was(kept, Instant(1)).run == run("a")


def test_what_a_run_used_is_counted_whoever_says_how_it_was_born() -> None:
    weak = replace(
        birth("a", "b", 3, kind="span_tree_fallback", name="x"), cost_attributed=7, tokens_attributed=2
    )
    told = RunLineage(runs={"a": run("a"), "b": run("b")}, edges=[birth("a", "b", 3)])
    (found,) = merged(told, [KeptRun(run("b"), [weak])], read={"a"}).edges

    assert (found.kind, found.cost_attributed, found.tokens_attributed) == ("spawn", 7, 2)


def test_a_run_that_was_handled_again_later_was_tried_again_and_not_born_again() -> None:
    first = KeptRun(run("b", started_at=Instant(3)), [replace(birth("a", "b", 2), cost_attributed=7)])
    start = replace(birth(None, "b", 80, kind="user_start"), cost_attributed=5)
    again = KeptRun(run("b", started_at=Instant(81)), [start])
    found = merged(NOTHING, [again, first], read=()).edges

    assert [(edge.kind, edge.source, edge.at, edge.cost_attributed) for edge in found] == [
        ("spawn", "a", 2, 7),
        ("retry", "b", 81, 5),
    ]
    queued = replace(first, run=run("b", status="queued"))
    (born,) = merged(NOTHING, [again, queued], read=()).edges
    assert (born.kind, born.cost_attributed) == ("spawn", 12)


def test_a_record_as_it_was_of_a_run_that_never_began_waits() -> None:
    kept = KeptRun(run("a", status="queued"), [birth(None, "a", 1, kind="user_start")])

    assert as_it_was(kept, Instant(4)).run == run("a", status="queued")


def test_who_ended_a_run_is_told_by_the_record_that_knows_who_handled_it_last() -> None:
    first = KeptRun(run("a", agent="price", ended_by="charge"), [birth(None, "a", 1, kind="user_start")])
    for later, expected in (
        (run("a", agent="ship"), ("ship", None)),
        (run("a", agent="ship", ended_by="bill"), ("ship", "bill")),
        (run("a"), ("price", "charge")),
    ):
        found = merged(NOTHING, [first, KeptRun(later, [birth("z", "a", 5)])], read=()).runs["a"]
        assert (found.agent, found.ended_by) == expected
