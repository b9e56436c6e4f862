"""The lines of archived runs: there and back, and what is refused."""

from __future__ import annotations

import gzip
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from observability.recorded_run_steps import edge_to, recorded, some_run
from observability.run_archive.kept_runs import kept_run, some_runs

from relayna.instants import Instant
from relayna.observability.archive import UnreadableArchive
from relayna.observability.run_archive.lines import archived_run, is_head, run_line, write_lines
from relayna.streams.keys import DEFAULT_TENANT
from relayna.streams.run_records import StoredRun


@settings(max_examples=100)
@given(run=some_runs)
def test_a_line_says_the_record_whole(run: StoredRun) -> None:
    line = run_line(run)
    assert archived_run(line) == run
    assert b"\n" not in line
    assert run_line(archived_run(line)) == line


def test_the_same_records_give_the_same_bytes() -> None:
    files = [io.BytesIO(), io.BytesIO()]
    for file in files:
        write_lines(file, DEFAULT_TENANT, 2_900, [kept_run("a"), kept_run("b")])
    assert files[0].getvalue() == files[1].getvalue()
    head, *lines = gzip.decompress(files[0].getvalue()).splitlines()
    assert is_head(head)
    assert json.loads(head)["first_day"] == "2025-07-31"
    assert [archived_run(line) for line in lines] == [kept_run("a"), kept_run("b")]


def test_people_can_read_what_a_record_says() -> None:
    run = some_run("R", Instant(5))
    told = json.loads(run_line(recorded(run, [edge_to(run, "spawn", "P")])))
    assert (told["run"]["agent"], told["run"]["started_at"]) == ("clerk", 5)
    assert [(edge["kind"], edge["source"]) for edge in told["edges"]] == [("spawn", "P")]
    assert json.loads(run_line(kept_run("a")))["run"] is None


@pytest.mark.parametrize(
    "change",
    [
        {"relayna": "archived_task"}, {"tenant": "a b"}, {"tenant": 1}, {"run_id": ""}, {"data": "%"}, {"data": None},
        {"began": "2026"}, {"began": 2**70}, {"began": True}, {"heading": 5}, {"heading": -1}, {"session_id": None},
    ],
)  # fmt: skip
def test_a_damaged_line_is_refused(change: dict[str, object]) -> None:
    told = json.loads(run_line(kept_run("a")))
    with pytest.raises(UnreadableArchive):
        archived_run(json.dumps(told | change).encode())


@settings(max_examples=150)
@given(line=st.binary(max_size=30) | st.sampled_from([b"[]", b"7", b'{"relayna":[]}', b"[" * 100_000]))
def test_no_bytes_do_worse_than_be_refused(line: bytes) -> None:
    with pytest.raises(UnreadableArchive):
        archived_run(line)


@pytest.mark.parametrize("rest", [b',"version":2}', b',"version":1', b"}"])
def test_a_head_that_is_newer_or_damaged_is_refused(rest: bytes) -> None:
    with pytest.raises(UnreadableArchive):
        is_head(b'{"relayna":"archived_runs"' + rest)
