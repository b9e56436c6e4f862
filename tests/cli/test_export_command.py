"""`relayna export` and `relayna open`: out of a store into one file, and back to the same graph."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import anyio
import pytest
from cli.command_line import relayna
from observability.archive.archive_steps import log_on, record_history
from observability.incident.incident_steps import failing_events
from servers import StoreUnderTest

from relayna.observability import build_execution_graph, encode_graph
from relayna.observability.incident import open_page

VARIABLES = {"RELAYNA_SHARD_COUNT": "4"}


@pytest.fixture
def place(any_store: StoreUnderTest) -> tuple[str, ...]:
    """The options that say where a task is recorded that failed."""

    async def record() -> None:
        async with log_on(any_store) as log:
            await record_history(log, failing_events())

    anyio.run(record)
    return ("--redis-url", any_store.url, "--prefix", any_store.prefix)


def test_what_is_opened_is_what_was_recorded(place: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "incident.html"
    exported = relayna("export", "T", "-o", str(file), *place, **VARIABLES)
    there = relayna("graph", "T", "--format", "json", "--max-nodes", "2000", *place, **VARIABLES)
    opened = relayna("open", str(file), "--format", "json")
    drawn = relayna("open", str(file))

    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert (exported.returncode, exported.stdout) == (0, b"")
    assert exported.stderr.decode().endswith(f" bytes, sha256 {digest}\n")
    assert (opened.returncode, opened.stderr) == (0, b"")
    assert opened.stdout == there.stdout.replace(b"hunter2", b"[redacted]")
    assert "✗ attempt 2  dead_lettered" in drawn.stdout.decode()


def test_the_same_twice_is_the_same_file(place: tuple[str, ...]) -> None:
    first, again = (relayna("export", "T", *place, **VARIABLES) for _ in range(2))
    dated = relayna("export", "T", "--made-at", "2026-01-31T10:00:05Z", *place, **VARIABLES)
    now = relayna("export", "T", "--made-at", "now", *place, **VARIABLES)
    assert first.stdout == again.stdout
    assert first.stderr == again.stderr
    assert open_page(first.stdout).origin.made_at is None
    assert open_page(dated.stdout).origin.made_at == "2026-01-31T10:00:05+00:00"
    assert open_page(now.stdout).origin.made_at is not None


def test_events_as_lines_give_the_graph_without_a_store(place: tuple[str, ...]) -> None:
    run = relayna("export", "T", "--format", "jsonl", *place, **VARIABLES)
    there = json.loads(relayna("graph", "T", "--format", "json", *place, **VARIABLES).stdout)
    histories: dict[str, list[dict[str, object]]] = {}
    for line in run.stdout.splitlines():
        record = json.loads(line)
        histories.setdefault(record["task_id"], []).append(record)
    graph = build_execution_graph(
        topology=there["topology_kind"],
        task_id="T",
        status_histories={},
        observation_histories=histories,
        dlq_records={},
    )
    assert json.loads(encode_graph(graph).replace(b"[redacted]", b"hunter2")) == there


@pytest.mark.parametrize(
    ("style", "begins"),
    [("mermaid", b"flowchart TD\n"), ("dot", b"digraph execution {\n"), ("otlp", b'{"resourceSpans":[')],
)
def test_each_format_is_redacted(place: tuple[str, ...], style: str, begins: bytes) -> None:
    run = relayna("export", "T", "--format", style, *place, **VARIABLES)
    assert run.returncode == 0
    assert run.stdout.startswith(begins)
    assert b"hunter2" not in run.stdout
    assert b"TimeoutError" in run.stdout


def test_what_cannot_be_done_is_told(place: tuple[str, ...], tmp_path: Path) -> None:
    absent = relayna("export", "U", *place, **VARIABLES)
    assert (absent.returncode, absent.stdout) == (3, b"")
    meaningless = relayna("export", "T", "--made-at", "soon", *place, **VARIABLES)
    assert (meaningless.returncode, b"'soon' is no time" in meaningless.stderr) == (2, True)
    nowhere = relayna("export", "T", "-o", str(tmp_path / "no" / "file"), *place, **VARIABLES)
    assert (nowhere.returncode, b"Cannot write the file" in nowhere.stderr) == (1, True)


def test_what_is_no_incident_is_not_opened(tmp_path: Path) -> None:
    file = tmp_path / "other.html"
    file.write_text("<!doctype html><script>alert(1)</script>", encoding="utf-8")
    run = relayna("open", str(file))
    assert (run.returncode, run.stdout) == (1, b"")
    assert run.stderr.startswith(b"relayna: This is no incident that can be opened: no incident is in it.")
    assert relayna("open", str(tmp_path / "absent")).returncode == 2
