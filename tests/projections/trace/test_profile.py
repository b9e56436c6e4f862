"""Trace analysis by the worked cases of the design, and the laws around them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayna.instants import Instant
from relayna.projections.trace.profile import ProfileSummary, analyse
from relayna.projections.trace.spans import DUMP, Source, Span, SpanType, TraceHistory

START = 1_767_225_600_000_000


def at(seconds: float) -> Instant:
    return Instant(START + round(seconds * 1_000_000))


def span(
    data_id: str, name: str, start: float, end: float, kind: SpanType = "network", *, batch: bool = False
) -> Span:
    return Span(
        name=name,
        type=kind,
        data_id=data_id,
        start=at(start),
        end=at(end),
        batch_id=data_id if batch else None,
    )


def task(data_id: str, start: float, end: float) -> Span:
    return span(data_id, "task", start, end, "compute")


def made_from(*pairs: str) -> list[Source]:
    return [
        Source(data_id=pair[-1], source_data_id=pair[0], created_at=at(number))
        for number, pair in enumerate(pairs)
    ]


def analysed(spans: list[Span], sources: list[Source] | None = None) -> ProfileSummary:
    return analyse(TraceHistory(session_id="s", spans=spans, outputs=[], sources=sources or []))


DIAMOND = [
    task("a", 0, 2), span("a", "load", 0, 1, "compute", batch=True), span("a", DUMP, 1.5, 2),
    task("b", 2.5, 5), span("b", "gen", 2.5, 4, "compute", batch=True), span("b", DUMP, 4, 5),
    task("c", 2.2, 9), span("c", "gen", 2.2, 8, "compute", batch=True), span("c", DUMP, 8, 9),
    task("d", 9.25, 10), span("d", "read", 9.25, 9.5), span("d", DUMP, 9.75, 10),
]  # fmt: skip
DIAMOND_SOURCES = made_from("a>b", "a>c", "b>d", "c>d")


def test_the_diamond() -> None:
    found = analysed(DIAMOND, DIAMOND_SOURCES)
    assert found.data_ids == ["a", "b", "c", "d"]
    assert found.event_count == 12
    assert found.e2e_breakdown.workflow_duration_seconds == 10.0
    assert found.e2e_breakdown.total_network_seconds == 3.0
    path = found.critical_path
    assert path is not None
    assert (path.path, path.cycle) == (["a", "c", "d"], False)
    assert (path.critical_path_seconds, path.critical_path_wall_seconds) == (10.0, 10.0)
    assert path.active_wait_breakdown.active_seconds == [2.0, 6.8, 0.75]
    assert path.active_wait_breakdown.wait_seconds == [0.0, 0.2, 0.25]
    queued = [
        (run.data_id, run.queuing_delay_seconds, run.blocking_parent_data_id) for run in found.per_data_id
    ]
    assert queued == [("a", 0.0, None), ("b", 0.5, "a"), ("c", 0.2, "a"), ("d", 0.25, "c")]
    gen = path.hardware_summary.event_type.index("gen")
    assert (path.hardware_summary.count[gen], path.hardware_summary.total_seconds[gen]) == (1, 5.8)
    dump = path.network_summary.event_type.index(DUMP)
    assert (path.network_summary.count[dump], path.network_summary.total_seconds[dump]) == (3, 1.75)
    assert path.total_network_seconds == 2.0


def test_overlaps_count_once_in_the_total() -> None:
    found = analysed(
        [
            task("1", 0, 10),
            span("1", "read", 0, 4),
            span("1", "read", 2, 6),
            span("1", "read", 6, 7),
            span("1", "write", 5, 9),
            span("1", DUMP, 9.5, 10),
        ]
    )
    table = found.e2e_breakdown.network_summary
    rows = dict(
        zip(
            table.event_type,
            zip(table.count, table.total_seconds, table.avg_seconds, strict=True),
            strict=True,
        )
    )
    assert rows == {"read": (3, 7.0, 3.0), "write": (1, 4.0, 4.0), DUMP: (1, 0.5, 0.5)}
    assert found.e2e_breakdown.total_network_seconds == 9.5


def test_compute_counts_in_the_total_what_was_done_for_a_batch() -> None:
    found = analysed(
        [
            task("1", 0, 10),
            span("1", "gen", 0, 3, "compute", batch=True),
            span("1", "gen", 1, 5, "compute", batch=True),
            span("1", "gen", 5, 6, "compute"),
        ]
    )
    table = found.e2e_breakdown.hardware_summary
    assert (table.event_type, table.count, table.total_seconds) == (["gen"], [3], [7.0])
    assert (table.avg_seconds, table.min_seconds, table.max_seconds) == ([2.666667], [1.0], [4.0])


def test_of_two_sources_the_later_one_blocks() -> None:
    spans = [
        task("1", 0, 2), span("1", DUMP, 1, 2), task("2", 0, 4), span("2", DUMP, 3, 4), task("3", 5, 6),
    ]  # fmt: skip
    found = analysed(spans, made_from("1>3", "2>3"))
    assert found.e2e_breakdown.workflow_duration_seconds == 6.0
    path = found.critical_path
    assert path is not None
    assert path.path == ["2", "3"]
    assert path.active_wait_breakdown.wait_seconds == [0.0, 1.0]
    assert found.per_data_id[2].blocking_parent_data_id == "2"
    assert found.per_data_id[2].parent_data_ids == ["1", "2"]


def test_of_a_retried_run_the_attempt_counts_that_made_the_output() -> None:
    first = Span(name="task", type="compute", data_id="1", start=at(0), end=at(3), attempt_id="x")
    second = Span(name="task", type="compute", data_id="1", start=at(5), end=at(7), attempt_id="y")
    dump = Span(name=DUMP, type="network", data_id="1", start=at(6), end=at(7), attempt_id="y")
    [run] = analysed([first, second, dump]).per_data_id
    assert (run.duration_seconds, run.retry_seconds) == (2.0, 3.0)


def test_sources_in_a_circle_end_the_path() -> None:
    spans = [task("a", 0, 1), span("a", DUMP, 0.5, 1), task("b", 1, 2), span("b", DUMP, 1.5, 2)]
    path = analysed(spans, made_from("a>b", "b>a")).critical_path
    assert path is not None
    assert (path.path, path.cycle) == (["a", "b"], True)


def test_nothing_is_no_path() -> None:
    found = analysed([])
    assert (found.critical_path, found.data_ids, found.e2e_breakdown.workflow_duration_seconds) == (
        None,
        [],
        0.0,
    )


def test_strangers_and_repeats_among_sources_are_kept_and_harm_nothing() -> None:
    found = analysed([task("b", 1, 2)], made_from("x>b", "x>b"))
    assert found.per_data_id[0].parent_data_ids == ["x", "x"]
    assert found.per_data_id[0].queuing_delay_seconds == 0.0
    assert found.critical_path is not None
    assert found.critical_path.path == ["b"]


ids = st.sampled_from("abcd")
times = st.floats(0, 20, allow_nan=False)
spans = st.lists(
    st.builds(
        span, ids, st.sampled_from(["task", "gen", "read", DUMP]), times, times,
        st.sampled_from(["compute", "network", "marker"]), batch=st.booleans(),
    )
)  # fmt: skip
sources = st.lists(st.tuples(ids, ids)).map(lambda pairs: made_from(*(f"{one}>{two}" for one, two in pairs)))


@settings(max_examples=200, deadline=None)
@given(spans=spans, sources=sources, seed=st.integers(0, 1_000))
def test_it_never_raises_and_order_does_not_matter(
    spans: list[Span], sources: list[Source], seed: int
) -> None:
    found = analysed(spans, sources)
    chance = random.Random(seed)
    assert analysed(chance.sample(spans, len(spans)), chance.sample(sources, len(sources))) == found
    for run in found.per_data_id:
        assert min(run.duration_seconds, run.queuing_delay_seconds, run.retry_seconds) >= 0
    if found.critical_path is not None:
        assert len(set(found.critical_path.path)) == len(found.critical_path.path)


@pytest.mark.parametrize("length", [1, 5_000])
def test_a_chain_of_any_length_is_walked(length: int) -> None:
    chain = [task(str(number), number, number + 1) for number in range(length)]
    links = [
        Source(data_id=str(number + 1), source_data_id=str(number), created_at=at(number))
        for number in range(length - 1)
    ]
    path = analysed(chain, links).critical_path
    assert path is not None
    assert len(path.path) == length


def test_what_a_merge_parent_did_counts_on_the_path_of_its_children() -> None:
    shared = Span(name="gen", type="compute", data_id="batch", start=at(1), end=at(4), batch_id="batch")
    mark = Span(
        name="queuing for execution", type="marker", data_id="child", start=at(1), end=at(1), batch_id="batch"
    )
    spans = [task("batch", 1, 4), shared, task("child", 0, 5), mark, span("child", DUMP, 4, 5)]
    path = analysed(spans).critical_path
    assert path is not None
    assert path.path == ["child"]
    assert (path.hardware_summary.event_type, path.hardware_summary.total_seconds) == (["gen"], [3.0])


def test_a_marker_counts_for_nothing_whatever_its_name() -> None:
    mark = Span(name="task", type="marker", data_id="a", start=at(0), end=at(0))
    found = analysed([mark, span("a", "task", 1, 3, "compute")])
    assert found.e2e_breakdown.workflow_duration_seconds == 2.0
    assert found.per_data_id[0].duration_seconds == 2.0


def test_sources_that_were_told_at_once_keep_their_order() -> None:
    spans = [task(one, 0, 1) for one in "bc"] + [span(one, DUMP, 0.5, 1) for one in "bc"] + [task("d", 2, 3)]
    told = [
        Source(data_id="d", source_data_id=one, created_at=at(2), place=place)
        for place, one in enumerate("cb")
    ]
    run = analysed(spans, told).per_data_id[-1]
    assert (run.parent_data_ids, run.blocking_parent_data_id) == (["c", "b"], "c")


def test_the_path_is_never_longer_than_the_wall() -> None:
    found = analysed([task("a", 0, 2), span("a", DUMP, 1.5, 2.5)])
    assert found.critical_path is not None
    assert (
        found.critical_path.critical_path_wall_seconds == found.e2e_breakdown.workflow_duration_seconds == 2.0
    )
