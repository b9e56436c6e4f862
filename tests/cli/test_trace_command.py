"""`relayna trace` against a real server: rows, analyses, exports and exit codes. Views are drawn in
tests/observability/trace/test_trace_terminal.py."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import msgspec
import pytest
from cli.command_line import relayna
from cli.in_process import relayna_here
from observability.trace.collector import collecting
from observability.trace.diamond import check_diamond, record_diamond
from servers import StoreUnderTest

from relayna.projections.trace.profile import ProfileSummary
from relayna.streams.redis import RedisLog


@pytest.fixture
def store(any_store: StoreUnderTest) -> tuple[str, ...]:
    """The options of a store that holds the diamond."""
    anyio.run(record_diamond, RedisLog(any_store.url, prefix=any_store.prefix))
    return ("--redis-url", any_store.url, "--prefix", any_store.prefix)


def test_the_analysis_in_the_terminal_has_the_figures(store: tuple[str, ...]) -> None:
    run = relayna_here("trace", "analyze", "d", *store, COLUMNS="80")
    assert (run.code, run.stderr) == (0, "")
    lines = run.stdout.decode().splitlines()
    assert lines[:5] == [
        "Session   a",
        "Wall      10.000 s",
        "Network   3.000 s",
        "Counts    4 runs, 12 spans, 4 assets, 4 sources",
        "Path      3 of the runs, 10.000 s, 10.000 s from its start to its end",
    ]
    assert "└─ c  worked 6.800 s  waited 0.200 s" in lines
    assert lines.index("Queuing") < lines.index("Compute") < lines.index("Network")


def test_as_json_it_is_the_answer_of_the_api(store: tuple[str, ...]) -> None:
    run = relayna_here("trace", "analyze", "a", "-f", "json", *store)
    check_diamond(msgspec.json.decode(run.stdout, type=ProfileSummary))


def test_rows_go_to_stdout_or_into_a_file(store: tuple[str, ...], tmp_path: Path) -> None:
    run = relayna_here("trace", "fetch", "lineage", "a", *store)
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    assert {(row["data_id"], row["source_data_id"]) for row in rows} == {
        ("b", "a"), ("c", "a"), ("d", "b"), ("d", "c"),
    }  # fmt: skip
    file = tmp_path / "spans.ndjson"
    run = relayna_here("trace", "fetch", "spans", "a", "-o", str(file), *store)
    assert (run.code, run.stdout) == (0, b"")
    assert len(file.read_bytes().splitlines()) == 12


def test_spans_go_to_a_collector(store: tuple[str, ...]) -> None:
    with collecting() as collector:
        run = relayna_here("trace", "export", "a", "--endpoint", collector.url, "--header", "x-key=k", *store)
    assert (run.code, run.stdout) == (0, b"")
    assert "sent 12 spans of session 'a'" in run.stderr
    assert len(collector.spans) == 12


def test_a_collector_that_takes_nothing_is_said_once(store: tuple[str, ...]) -> None:
    with collecting(status=400) as collector:
        run = relayna("trace", "export", "a", "--endpoint", collector.url, *store)
    assert (run.returncode, run.stdout) == (1, b"")
    [line] = run.stderr.decode().splitlines()
    assert "did not take the spans" in line


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("analyze", "nobody"), 3, "Nothing is recorded for run or session 'nobody'"),
        (("fetch", "dreams", "a"), 2, "'dreams' is not one of"),
        (("export", "a", "--endpoint", "here"), 2, "no URL of a collector"),
    ],
)
def test_what_cannot_be_answered_exits_with_a_code(
    store: tuple[str, ...], arguments: tuple[str, ...], code: int, said: str
) -> None:
    run = relayna_here("trace", *arguments, *store)
    assert (run.code, run.stdout) == (code, b"")
    assert said in run.stderr
