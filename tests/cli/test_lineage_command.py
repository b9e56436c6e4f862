"""`relayna lineage archive` and `import`, `relayna agents`: over records in a real store."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import anyio
import pytest
from cli.called_here import Called, call
from observability.kept_histories import keep
from observability.recorded_run_steps import edge_to, recorded, some_run
from servers import StoreUnderTest

from relayna.clock import SystemClock
from relayna.events import RecordedEvent
from relayna.instants import Instant
from relayna.streams.keys import DEFAULT_TENANT
from relayna.streams.redis import RedisLog
from relayna.streams.redis.run_records import RedisRunRecords
from relayna.streams.run_records import StoredRun
from relayna.testing import history

DAY = 86_400_000_000
NOW = SystemClock().now()
LONG_AGO = Instant(NOW - 100 * DAY)


class Place:
    """A store, and the command that is called on it."""

    def __init__(
        self, store: StoreUnderTest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.store = store
        self._call = partial(call, monkeypatch, capsys)
        monkeypatch.setenv("RELAYNA_REDIS_URL", store.url)
        monkeypatch.setenv("RELAYNA_PREFIX", store.prefix)
        monkeypatch.setenv("RELAYNA_SHARD_COUNT", "4")

    def relayna(self, *arguments: str) -> Called:
        return self._call(*arguments)

    def keep(self, runs: Iterable[StoredRun]) -> None:
        async def restore() -> None:
            async with self._log() as log:
                await RedisRunRecords(log).restore(list(runs))

        anyio.run(restore)

    def append(self, events: Sequence[RecordedEvent]) -> None:
        async def write() -> None:
            async with self._log() as log:
                await keep(log, events)

        anyio.run(write)

    def of_session(self, session_id: str = "S") -> list[StoredRun]:
        async def read() -> list[StoredRun]:
            async with self._log() as log:
                return await RedisRunRecords(log).of_session(DEFAULT_TENANT, session_id)

        return anyio.run(read)

    def _log(self) -> RedisLog:
        return RedisLog(self.store.url, prefix=self.store.prefix, shard_count=4)


@pytest.fixture
def place(
    any_store: StoreUnderTest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Place:
    return Place(any_store, monkeypatch, capsys)


def old_runs(count: int = 3, *, expires_at: int = NOW - DAY) -> list[StoredRun]:
    """Runs of one session and week that began 100 days ago."""
    runs = [some_run(f"R{number}", Instant(LONG_AGO + number)) for number in range(count)]
    return [recorded(run, [edge_to(run, "user_start")], expires_at=expires_at) for run in runs]


def contents(runs: Iterable[StoredRun]) -> list[tuple[str, int, bytes]]:
    return [(run.address.task_id, run.began, run.data) for run in runs]


def test_old_runs_move_to_a_folder_and_back(place: Place, tmp_path: Path) -> None:
    place.keep(old_runs())
    before = contents(place.of_session())
    assert len(before) == 3
    to = ("-o", str(tmp_path))

    dry = place.relayna("lineage", "archive", "--dry-run", *to)
    assert (
        dry.code,
        "runs: 3, file: not written; nothing was done" in dry.err,
        list(tmp_path.iterdir()),
    ) == (0, True, [])

    first = place.relayna("lineage", "archive", *to)
    assert (first.code, first.out, "runs: 3, file: written; the store forgot them\n" in first.err) == (
        0,
        "",
        True,
    )
    assert place.of_session() == []
    [file] = tmp_path.iterdir()
    written = file.read_bytes()

    again = place.relayna("lineage", "archive", *to)
    assert (again.code, again.err) == (0, "relayna: no run is old enough\n")
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [written]

    back = place.relayna("lineage", "import", str(file))
    assert (back.code, back.err.startswith("relayna: runs brought back: 3, there already: 0")) == (0, True)
    assert contents(place.of_session()) == before
    twice = place.relayna("lineage", "import", str(tmp_path))
    assert twice.err.startswith("relayna: runs brought back: 0, there already: 3")
    assert contents(place.of_session()) == before


def test_what_comes_later_is_merged_in(place: Place, tmp_path: Path) -> None:
    runs = old_runs(4)
    place.keep(runs[:3])
    place.relayna("lineage", "archive", "-o", str(tmp_path))
    place.keep([runs[3], recorded(some_run("R9", Instant(LONG_AGO)), expires_at=NOW + DAY)])
    later = place.relayna("lineage", "archive", "-o", str(tmp_path))
    assert "runs: 1, younger ones: 1, file: extended; the week stays in the store" in later.err
    at_once = place.relayna("lineage", "archive", "-o", str(tmp_path), "--began-before", "2100-01-01")
    assert "runs: 2, file: extended; the store forgot them\n" in at_once.err
    assert place.of_session() == []
    place.relayna("lineage", "import", str(tmp_path))
    assert {run.address.task_id for run in place.of_session()} == {"R0", "R1", "R2", "R3", "R9"}


def test_what_is_damaged_is_told(place: Place, tmp_path: Path) -> None:
    place.keep(old_runs())
    place.relayna("lineage", "archive", "-o", str(tmp_path))
    [file] = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-12])
    cut = place.relayna("lineage", "import", str(file))
    assert (cut.code, "its compression ends early" in cut.err) == (1, True)
    place.keep(old_runs(5))
    refused = place.relayna("lineage", "archive", "-o", str(tmp_path))
    assert (refused.code, "This is no archive that can be read" in refused.err) == (1, True)
    assert len(place.of_session()) == 5


def test_wrong_words_are_refused(place: Place, tmp_path: Path) -> None:
    assert place.relayna("lineage", "archive").code == 2
    assert place.relayna("lineage", "archive", "-o", str(tmp_path), "--began-before", "soon").code == 2
    assert place.relayna("lineage", "import", str(tmp_path / "absent")).code == 2
    assert place.relayna("agents", "--window", "a while").code == 2
    (tmp_path / "in-the-way").write_bytes(b"")
    place.keep(old_runs())
    unwritable = place.relayna("lineage", "archive", "-o", str(tmp_path / "in-the-way" / "folder"))
    assert (unwritable.code, "Cannot write to the folder" in unwritable.err) == (1, True)


def test_agents_are_told_as_a_table_and_as_json(place: Place) -> None:
    began = Instant(NOW - 3_600_000_000)
    runs = [
        some_run(f"R{number}", began, agent=agent, status=status)
        for number, (agent, status) in enumerate(
            [("clerk", "completed"), ("clerk", "failed"), ("printer", "running")]
        )
    ]
    kept = [recorded(run, [edge_to(run, "spawn", "P")], expires_at=NOW + DAY) for run in runs]
    place.keep([*kept, *old_runs()])
    shown = place.relayna("agents")
    assert [line.split() for line in shown.out.splitlines()] == [
        ["AGENT", "SUCCESS", "OK", "FAILED", "DEAD", "RUNNING", "CANCELLED", "EDGES"],
        ["clerk", "50.0%", "1", "1", "0", "0", "0", "spawn", "2"],
        ["printer", "-", "0", "0", "0", "1", "0", "spawn", "1"],
    ]
    told = json.loads(place.relayna("agents", "--window", "200d", "--format", "json").out)
    assert [(one["agent"], one["completed"], one["success"]) for one in told["agents"]] == [
        ("clerk", 4, 0.8), ("printer", 0, None),
    ]  # fmt: skip
    none = place.relayna("agents", "--window", "1s")
    assert (none.code, none.out, none.err) == (
        0,
        "",
        "relayna: no record tells of a run that began in this time\n",
    )


def test_agents_say_that_records_are_behind(place: Place) -> None:
    place.append(history("R1").published().attempt().acked().events)
    none = place.relayna("agents")
    assert none.err.splitlines() == [
        "relayna: no record tells of a run that began in this time",
        "relayna: tasks of 1 shards are not in it yet; `relayna serve` keeps run records up, and `relayna reindex` "
        "makes them anew",
    ]
    place.relayna("reindex")
    assert place.relayna("agents", "--window", "366d").err == ""


def test_what_a_session_has_not_is_said(place: Place) -> None:
    place.append(history("R1").published().attempt().acked().events)
    unknown = place.relayna("session", "R1", "--expand", "g0123456789")
    assert (unknown.code, "relayna: no such groups here: g0123456789" in unknown.err) == (0, True)
    refused = place.relayna("session", "R1", "--expand", "pages")
    assert (refused.code, "'pages' is no group's id" in refused.err) == (2, True)
    before = place.relayna("session", "R1", "--at", "2001-01-01T00:00:00Z")
    assert before.out.splitlines()[1] == "0 runs, 0 edges, $0.0000, 0 tokens"
    assert "relayna: nothing of this session had happened by then" in before.err
    absent = place.relayna("session", "R")
    assert (absent.code, "Check the id, which has to be whole" in absent.err) == (3, True)


def test_check_names_runs_without_a_birth(place: Place) -> None:
    began = Instant(NOW - 3_600_000_000)
    born, unborn = some_run("R1", began), some_run("R2", began)
    place.keep([recorded(born, [edge_to(born, "user_start")], expires_at=NOW + DAY)])
    checks = {one["name"]: one["state"] for one in json.loads(place.relayna("check", "--format", "json").out)}
    assert checks["births"] == "ok"
    place.keep([recorded(unborn, [edge_to(unborn, "span_tree_fallback", "R1")], expires_at=NOW + DAY)])
    found = place.relayna("check")
    assert (found.code, "births" in found.out) == (6, True)
    assert "without a birth: 'R2' of session 'S' by 'clerk', which names 'R1' as its parent" in found.err
