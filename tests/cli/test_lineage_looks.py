"""How commands draw lineage, to the character: at 80 and at 200 columns, in trees and tables, with groups and costs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from relayna.cli.lineage_output import Picture, totals, write_edges, write_header, write_tree
from relayna.cli.lineage_tree import tree_lines
from relayna.cli.painting import paint_counts, paint_lineage
from relayna.instants import Instant
from relayna.observability.lineage_told import RunEdgeTold, Session, session_told
from relayna.observability.lineage_view import LineageView
from relayna.observability.short_ids import ShortIds
from relayna.projections.lineage.run_edges import BIRTH_KINDS, Run, RunEdge, RunEdgeKind, RunLineage
from relayna.projections.lineage.session_graph import session_graph

SECOND = 1_000_000
UUID = "0196a7f2-8c1d-7abc-9def-00000000{:04x}"


def edge(at: int, kind: RunEdgeKind, source: str | None, target: str, cost: int = 0, **more: str) -> RunEdge:
    return RunEdge(
        edge_id=f"e{at:02}", kind=kind, source=source, target=target, at=Instant(at * SECOND), session_id="S",
        is_birth=kind in BIRTH_KINDS, cost_attributed=cost, tokens_attributed=cost // 10, **more,
    )  # fmt: skip


def run(run_id: str, agent: str, status: str = "completed", **more: dict[str, object]) -> Run:
    return Run(run_id=run_id, session_id="S", agent=agent, status=status, started_at=Instant(0), **more)


BLOCKED = {"counts": {"block": 1, "allow": 4}, "worst": "block"}
PAGES = [UUID.format(number) for number in range(8)]
RUNS = [
    run("trip-7", "planner", "running"),
    run("research", "researcher"),
    *(run(page, "page-reader") for page in PAGES),
    run("page-bad", "page-reader", "failed"),
    run("translate", "translator-with-a-rather-long-name", "failed"),
    run("booking", "booker", "retrying", decisions=BLOCKED),
    run("notify", "notifier", "queued"),
]
EDGES = [
    edge(0, "user_start", None, "trip-7", 12_400),
    edge(1, "spawn", "trip-7", "research", 20_000),
    *(edge(2 + number, "spawn", "research", page, 1_000) for number, page in enumerate(PAGES)),
    edge(11, "spawn", "research", "page-bad"),
    edge(12, "retry", "page-bad", "page-bad", 100),
    edge(13, "spawn", PAGES[7], "translate", 150_000, variant="handoff"),
    edge(14, "spawn", "trip-7", "booking"),
    edge(15, "signal_fire", "booking", "notify", label="booked"),
    edge(16, "timer_fire", "booking", "booking"),
    replace(edge(17, "domain_callback", None, "booking"), is_birth=False),
    edge(18, "resume", "research", "trip-7"),
]


def told(view: LineageView) -> Session:
    known = RunLineage(runs={one.run_id: one for one in RUNS}, edges=EDGES)
    return session_told("S", session_graph(known, "S"), [], view)


def picture(*, grouped: bool = True) -> Picture:
    found = told(LineageView(grouped=grouped, overlays=True))
    return Picture(
        roots=found.stats.root_run_ids,
        runs={one.run_id: one for one in found.runs},
        edges=found.edges,
        groups=found.groups,
        overlays={one.run_id: one for one in found.overlays or ()},
    )


TREE_80 = """\
RUN                               STATUS       DECIDED     COST  SUBTREE  TOKENS
trip-7  planner  (origin: user_…  running               $0.0124  $0.1905   1,240
├─ spawn → research  researcher   completed             $0.0200  $0.1781   2,000
│  ├─ spawn → gac3668d1a8  7 x …  7 completed           $0.0070              700
│  ├─ spawn → 0196…0007  page-r…  completed             $0.0010  $0.1510     100
│  │  └─ spawn (handoff) → tran…  failed                $0.1500           15,000
│  ├─ spawn → page-bad  page-re…  failed                         $0.0001
│  │  └─ retry                                          $0.0001               10
│  └─ resume → trip-7  (above)
└─ spawn → booking  booker        retrying     block
   ├─ signal_fire → notify  not…  queued
   ├─ timer_fire
   └─ domain_callback from outs…
"""
TREE_200 = """\
RUN                                                                       STATUS       DECIDED     COST  SUBTREE  TOKENS
trip-7  planner  (origin: user_start)                                     running               $0.0124  $0.1905   1,240
├─ spawn → research  researcher                                           completed             $0.0200  $0.1781   2,000
│  ├─ spawn → gac3668d1a8  7 x page-reader                                7 completed           $0.0070              700
│  ├─ spawn → 0196a7f2-8c1d-7abc-9def-000000000007  page-reader           completed             $0.0010  $0.1510     100
│  │  └─ spawn (handoff) → translate  translator-with-a-rather-long-name  failed                $0.1500           15,000
│  ├─ spawn → page-bad  page-reader                                       failed                         $0.0001
│  │  └─ retry                                                                                  $0.0001               10
│  └─ resume → trip-7  (above)
└─ spawn → booking  booker                                                retrying     block
   ├─ signal_fire → notify  notifier  'booked'                            queued
   ├─ timer_fire
   └─ domain_callback from outside
"""
TABLE_80 = """\
AFTER  KIND             FROM       TO               STATUS          COST  TOKENS
 0 ms  user_start       -          trip-7           running      $0.0124   1,240
  1 s  spawn            trip-7     research         completed    $0.0200   2,000
  2 s  spawn            research   7 x page-reader  7 completed  $0.0070     700
  9 s  spawn            research   0196…0007        completed    $0.0010     100
 11 s  spawn            research   page-bad         failed       $0.0000       0
 12 s  retry            page-bad   page-bad         failed       $0.0001      10
 13 s  spawn            0196…0007  translate        failed       $0.1500  15,000
 14 s  spawn            trip-7     booking          retrying     $0.0000       0
 15 s  signal_fire      booking    notify           queued       $0.0000       0
 16 s  timer_fire       booking    booking          retrying     $0.0000       0
 17 s  domain_callback  -          booking          retrying     $0.0000       0
 18 s  resume           research   trip-7           running      $0.0000       0
"""


@pytest.mark.parametrize(("columns", "expected"), [("80", TREE_80), ("200", TREE_200)])
def test_a_tree(
    columns: str, expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    write_tree(picture())
    assert capsys.readouterr().out == expected
    assert max(map(len, expected.splitlines())) <= int(columns)


def test_a_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    write_edges(picture())
    assert capsys.readouterr().out == TABLE_80


def test_costs_on_the_lines_add_up_to_the_header(capsys: pytest.CaptureFixture[str]) -> None:
    for grouped in (True, False):
        write_tree(picture(grouped=grouped))
        rows = capsys.readouterr().out.splitlines()
        start = rows[0].index("COST") - 3
        cells = [row[start : start + 7] for row in rows[1:]]
        assert sum(float(cell.strip().removeprefix("$") or 0) for cell in cells) == pytest.approx(0.1905)


def test_small_costs_have_the_digits_that_they_need(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    known = RunLineage(
        runs={name: run(name, "a") for name in ("r1", "r2")},
        edges=[edge(0, "user_start", None, "r1", 30), edge(1, "spawn", "r1", "r2", 7)],
    )
    found = session_told("S", session_graph(known, "S"), [], LineageView(overlays=True))
    drawn = Picture(
        roots=["r1"],
        runs={one.run_id: one for one in found.runs},
        edges=found.edges,
        overlays={one.run_id: one for one in found.overlays or ()},
    )
    write_tree(drawn)
    assert [line.split()[-3:] for line in capsys.readouterr().out.splitlines()] == [
        ["COST", "SUBTREE", "TOKENS"],
        ["$0.000030", "$0.000037", "3"],
        ["a", "completed", "$0.000007"],
    ]
    write_edges(drawn)
    assert "$0.000007" in capsys.readouterr().out
    assert "$0.000037" in totals(2, 37, 3, runs=found.runs)


APART_AS_TREE = """\
RUN                                                                     STATUS
shop-parent1  shop-1                                                    completed
├─ spawn → 0196a7f2-8c1d-7abc-9def-000000000001  shop-1  as 'page 1'    completed
└─ spawn → 0196a7f2-8c1d-7abc-9def-000000000002  shop-1  as 'page 2'    completed
0196a7f2-8c1d-7abc-9def-000000000000  shop-1 [charge]  (origin: spawn)  completed
"""
APART_AS_TABLE = """\
AFTER  KIND   FROM          TO                                    STATUS        COST  TOKENS  AGENT
 0 ms  spawn  -             0196a7f2-8c1d-7abc-9def-000000000000  completed  $0.0000       0  shop-1 [charge]
  1 s  spawn  shop-parent1  0196a7f2-8c1d-7abc-9def-000000000001  completed  $0.0000       0  shop-1  as 'page 1'
  2 s  spawn  shop-parent1  0196a7f2-8c1d-7abc-9def-000000000002  completed  $0.0000       0  shop-1  as 'page 2'
"""


def told_apart() -> Picture:
    """Children of one parent, by one agent, each for something else."""
    births = [edge(1 + at, "spawn", "shop-parent1", UUID.format(at), group_key=f"page {at}") for at in (1, 2)]
    workflows = ["charge", "shop-1", "shared_status_workflow"]
    runs = [replace(run(UUID.format(at), "shop-1"), workflow=workflows[at]) for at in range(3)]
    return picture_of(
        [*runs, run("shop-parent1", "shop-1")], [*births, edge(1, "spawn", None, UUID.format(0))]
    )


def picture_of(runs: list[Run], edges: list[RunEdge]) -> Picture:
    known = RunLineage(runs={one.run_id: one for one in runs}, edges=edges)
    found = session_told("S", session_graph(known, "S"), [])
    return Picture(
        roots=["shop-parent1"], runs={one.run_id: one for one in found.runs if one.agent}, edges=found.edges
    )


def test_runs_alike_are_told_apart_by_what_they_did_and_for_whom(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)  # a pipe
    write_tree(told_apart())
    assert capsys.readouterr().out == APART_AS_TREE
    write_edges(told_apart())
    assert capsys.readouterr().out == APART_AS_TABLE


def test_short_ids_are_whole_in_a_narrow_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    write_edges(told_apart())
    lines = capsys.readouterr().out.splitlines()
    assert all("shop-parent1" in line for line in lines[2:])
    assert all("0196…" in line and "AGENT" not in line for line in lines[1:])


def test_a_replay_names_its_original_once(capsys: pytest.CaptureFixture[str]) -> None:
    write_tree(
        picture_of([run("shop-parent1", "shop-1")], [edge(1, "replayed_from", "buy-7", "shop-parent1")])
    )
    assert "(origin: replayed_from buy-7)" in capsys.readouterr().out


def test_no_run_is_no_status() -> None:
    assert totals(0, 0, 0, runs=[]) == ["0 runs", "0 edges", "$0.0000", "0 tokens"]


def test_a_header_is_wrapped_into_the_width(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    found = told(LineageView(grouped=True))
    write_header("Session \x1b[31mS", totals(18, 190_500, 19_050, runs=found.runs, groups=found.groups))
    assert capsys.readouterr().out.splitlines() == [
        r"Session \x1b[31mS",
        "14 runs (9 completed, 2 failed, 1 queued, 1 retrying, 1 running), 18 edges,",
        "$0.1905, 19,050 tokens",
        "",
    ]


NAMES = [f"r{number}" for number in range(7)]
ENDS = st.sampled_from([*NAMES, None, "elsewhere"])


@settings(max_examples=200)
@given(
    ends=st.lists(
        st.tuples(ENDS, st.sampled_from(NAMES), st.sampled_from(["spawn", "resume", "retry"])), max_size=14
    ),
    roots=st.lists(st.sampled_from(NAMES), unique=True, max_size=3),
)
def test_each_run_and_each_edge_is_drawn_once_whatever_they_look_like(
    ends: list[tuple[str | None, str, RunEdgeKind]], roots: list[str]
) -> None:
    known = RunLineage(
        runs={name: run(name, "a") for name in NAMES},
        edges=[edge(at, kind, source, target) for at, (source, target, kind) in enumerate(ends)],
    )
    edges = session_told("S", session_graph(known, "S"), []).edges
    lines = list(tree_lines(roots, edges, NAMES))
    drawn = [line.run_id for line in lines if line.is_new]
    assert sorted(one for one in drawn if one in NAMES) == NAMES
    told_edges = [line.what.edge_id for line in lines if isinstance(line.what, RunEdgeTold)]
    assert sorted(told_edges) == sorted(one.edge_id for one in edges)


@settings(max_examples=200)
@given(ids=st.sets(st.text("ab-", min_size=1, max_size=40), max_size=30), longest=st.sampled_from([9, 20]))
def test_short_ids_are_never_the_same(ids: set[str], longest: int) -> None:
    short = ShortIds(ids, longest=longest)
    assert len({short.of(one) for one in ids}) == len(ids)
    assert all(short.of(one) == one for one in ids if len(one) <= longest)
    assert all(len(short.of(one)) <= len(one) for one in ids)


def test_colours_change_no_character(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("relayna.cli.painting.has_colours", lambda: True)
    paint = paint_lineage(status=1, tree=0, decided=2)
    assert paint is not None
    for column, cell in (
        (None, "STATUS"),
        (1, "7 completed, 1 failed  "),
        (0, "│  └─ spawn"),
        (2, "block"),
        (3, "$0.1"),
    ):
        assert re.sub(r"\x1b\[\d*m", "", paint(column, cell)) == cell
    assert "\x1b[31mfailed" in paint(1, "failed")
    assert "\x1b[32mcompleted" in paint(1, "7 completed")
    assert paint(3, "$0.1") == "$0.1"
    both, counts = paint_lineage(status=(2, 3)), paint_counts({1: "red"})
    assert both is not None
    assert counts is not None
    assert "\x1b[31mfailed" in both(2, "failed")
    assert "\x1b[31mfailed" in both(3, "failed")
    assert counts(1, "2 ") == "\x1b[31m2 \x1b[0m"
    assert (counts(1, "0 "), counts(2, "2")) == ("0 ", "2")
    monkeypatch.undo()
    assert paint_lineage(status=1) is paint_counts({}) is None  # no terminal
