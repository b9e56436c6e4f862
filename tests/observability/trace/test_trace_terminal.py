"""A session's analysis on a terminal: each view, narrow and wide, with and without colour."""

from __future__ import annotations

import io
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mermaid.hostile_labels import HOSTILE, labels
from observability.trace.sessions import analysed, circle, diamond, span
from rich.console import Console

from relayna.observability.trace.terminal import TRACE_VIEWS, TraceView, print_trace
from relayna.projections.trace.profile import ProfileSummary


def printed(
    summary: ProfileSummary, view: TraceView = "rich", *, width: int = 80, colour: bool = False
) -> list[str]:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="utf-8", newline="")
    system = "standard" if colour else None
    print_trace(summary, Console(file=file, width=width, force_terminal=colour, color_system=system), view)  # type: ignore[arg-type]
    file.flush()
    return raw.getvalue().decode().splitlines()


def test_the_whole_of_it() -> None:
    assert printed(diamond()) == [
        "Session   order-7",
        "Wall      10.000 s",
        "Network   3.000 s",
        "Counts    5 runs, 13 spans, 0 assets, 5 sources",
        "Path      3 of the runs, 10.000 s, 10.000 s from its start to its end",
        "",
        "Critical path",
        "a  worked 2.000 s",
        "└─ c  worked 6.800 s  waited 0.200 s",
        "   └─ d  worked 0.750 s  waited 0.250 s",
        "in all 10.000 s, 10.000 s by the clock",
        "",
        "Queuing",
        "Run    Waited for  Wait s  Took s",
        "b      a            0.500   2.500",
        "d      c            0.250   0.750",
        "c      a            0.200   6.800",
        "a      -            0.000   2.000",
        "alone  -            0.000   0.500",
        "",
        "Compute",
        "Span  Count  Total s  Average s  Least s  Most s",
        "gen       2    7.300      3.650    1.500   5.800",
        "load      1    1.000      1.000    1.000   1.000",
        "",
        "Network",
        "Span             Count  Total s  Average s  Least s  Most s",
        "dump to storage      4    2.750      0.688    0.250   1.000",
        "read                 1    0.250      0.250    0.250   0.250",
        "",
        "Lineage  ● is on the critical path",
        "● a",
        "├─ b",
        "│  └─ ● d",
        "└─ ● c",
        "   └─ ● d  (above)",
        "stranger  (not recorded here)",
        "└─ b  (above)",
        "alone",
    ]


@pytest.mark.parametrize(("view", "heads"), [
    ("critical-path", ["Critical path", "Compute on the path", "Network on the path"]),
    ("cp", ["Critical path", "Compute on the path", "Network on the path"]),
    ("end-to-end", ["Wall      10.000 s", "Compute", "Network"]),
    ("e2e", ["Wall      10.000 s", "Compute", "Network"]),
    ("queuing", ["Queuing"]),
    ("lineage", ["Lineage  ● is on the critical path"]),
])  # fmt: skip
def test_the_others_are_parts_of_it(view: TraceView, heads: list[str]) -> None:
    lines = printed(diamond(), view)
    assert lines[0] == heads[0]
    assert [line for line in lines if line in heads] == heads
    if view not in ("critical-path", "cp"):
        assert set(lines) <= set(printed(diamond()))


def test_circles_are_named() -> None:
    assert printed(circle(), "lineage") == [
        "Lineage  ● is on the critical path",
        "● a",
        "└─ ● b",
        "   └─ ● a  (a cycle: above, and its own source)",
    ]
    assert printed(circle(), "cp")[1] == "its sources run in a circle: it begins where it met itself"


def test_nothing_is_told_as_nothing() -> None:
    for view in TRACE_VIEWS:
        assert printed(analysed([]), view)
    assert "there is none: no run is recorded" in printed(analysed([]))


def test_long_ids_have_both_ends_where_there_is_little_room() -> None:
    long = f"order-{'7' * 40}-end"
    summary = analysed([span(long, "task", 0, 1, "compute"), span("b", "task", 2, 3, "compute")], (long, "b"))
    narrow, wide = printed(summary, "lineage"), printed(summary, "lineage", width=200)
    assert [line for line in narrow if "orde" in line] == ["● orde…-end"]
    assert [line for line in wide if "order" in line] == [f"● {long}"]
    assert max(map(len, printed(summary))) <= 80


def test_many_runs_are_cut_in_the_whole_and_not_in_their_own_view() -> None:
    chain = [span(f"run-{number}", "task", number, number + 1, "compute") for number in range(50)]
    links = [(f"run-{number}", f"run-{number + 1}") for number in range(49)]
    summary = analysed(chain, *links)
    assert "30 runs before (-f critical-path shows all)" in printed(summary)
    assert "and 30 more (-f queuing shows all)" in printed(summary)
    assert "and 30 more (-f lineage shows all)" in printed(summary)
    assert len(printed(summary, "queuing")) == 52
    assert len(printed(summary, "lineage")) == 51
    assert max(map(len, printed(summary, "cp"))) <= 80


def test_colours_only_repeat_what_is_said() -> None:
    coloured = printed(diamond(), colour=True)
    assert "\x1b[33m" in "".join(coloured)
    assert [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in coloured] == printed(diamond())


@settings(max_examples=25)
@given(name=st.sampled_from(HOSTILE) | labels)
def test_no_name_does_what_it_says(name: str) -> None:
    summary = analysed([span(name or "x", name or "x", 0, 1)], (name or "x", "b"))
    for view in TRACE_VIEWS:
        text = "\n".join(printed(summary, view))
        assert [one for one in text if unicodedata.category(one) == "Cc" and one != "\n"] == []
