"""`relayna archive` and `relayna import`, from the one store to the other."""

from __future__ import annotations

from pathlib import Path

import anyio
from cli.command_line import relayna
from observability.archive.archive_steps import forget, log_on, record_history
from servers import StoreUnderTest

from relayna.testing import history


def recorded(store: StoreUnderTest, *task_ids: str) -> tuple[str, ...]:
    """Record these tasks; the options that say where."""

    async def record() -> None:
        async with log_on(store) as log:
            for task_id in task_ids:
                await record_history(log, history(task_id).published().attempt().acked().events)

    anyio.run(record)
    return ("--redis-url", store.url, "--prefix", store.prefix)


def test_there_and_back_again(any_store: StoreUnderTest, tmp_path: Path) -> None:
    place = recorded(any_store, "T", "a/b")
    variables = {"RELAYNA_SHARD_COUNT": "4"}
    before = relayna("graph", "a/b", "--format", "json", *place, **variables)
    archived = relayna("archive", "--all", "--to", str(tmp_path), *place, **variables)
    again = relayna("archive", "T", "--to", str(tmp_path), *place, **variables)
    forget(any_store)
    gone = relayna("graph", "a/b", *place, **variables)
    imported = relayna("import", str(tmp_path), *place, **variables)
    after = relayna("graph", "a/b", "--format", "json", *place, **variables)

    assert (archived.returncode, archived.stderr) == (0, b"relayna: tasks: 2 written\n")
    assert (again.returncode, again.stderr) == (0, b"relayna: tasks: 1 unchanged\n")
    assert (gone.returncode, imported.returncode) == (3, 0)
    assert imported.stderr.startswith(b"relayna: 10 frames of 2 tasks and 0 logged events added")
    assert after.returncode == 0
    assert after.stdout == before.stdout


def test_only_what_ended_before(any_store: StoreUnderTest, tmp_path: Path) -> None:
    place = recorded(any_store, "T")
    variables = {"RELAYNA_SHARD_COUNT": "4"}
    for time, told in (("2026-01-01T00:00:00Z", b"1 not ended by then"), ("2027-01-01", b"1 written")):
        run = relayna("archive", "--all", "--ended-before", time, "--to", str(tmp_path), *place, **variables)
        assert (run.returncode, run.stderr) == (0, b"relayna: tasks: " + told + b"\n")


def test_what_cannot_be_done_is_told(any_store: StoreUnderTest, tmp_path: Path) -> None:
    place = recorded(any_store)
    to = ("--to", str(tmp_path), *place)
    variables = {"RELAYNA_SHARD_COUNT": "4"}
    assert relayna("archive", *to).returncode == 2
    assert relayna("archive", "T", "--all", *to).returncode == 2
    assert relayna("archive", "--all", "--ended-before", "soon", *to, **variables).returncode == 2
    absent = relayna("archive", "T", *to, **variables)
    assert (absent.returncode, b"nothing is recorded for task 'T'" in absent.stderr) == (3, True)
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"relayna": "archived_frame"}\n', encoding="utf-8")
    unreadable = relayna("import", str(bad), *place, **variables)
    assert (unreadable.returncode, b"bad.jsonl:1: " in unreadable.stderr) == (1, True)
    assert relayna("import", str(tmp_path / "absent"), *place).returncode == 2
