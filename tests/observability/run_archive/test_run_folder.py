"""A week's file: what is added to it, what stays, and that it is whole or not there."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from observability.run_archive.kept_runs import kept_run, some_runs

from relayna.observability.archive import ArchiveResult, UnreadableArchive
from relayna.observability.run_archive import RunArchiveFolder
from relayna.observability.run_archive.lines import read_lines
from relayna.streams.keys import DEFAULT_TENANT
from relayna.streams.run_records import StoredRun

WEEK = 2_900


def put(folder: RunArchiveFolder, *portions: list[StoredRun]) -> ArchiveResult:
    """Archive these as they come."""
    file = folder.begin(DEFAULT_TENANT, WEEK)
    try:
        for some in portions:
            file.add(some)
        return file.finish()
    finally:
        file.close()


def held_by(folder: RunArchiveFolder) -> list[StoredRun]:
    return list(read_lines(folder.path_of(DEFAULT_TENANT, WEEK)))


def test_what_is_new_is_added_and_nothing_is_taken_away(tmp_path: Path) -> None:
    folder = RunArchiveFolder(tmp_path / "made")
    assert put(folder, [kept_run("b"), kept_run("a")]) is ArchiveResult.WRITTEN
    before = folder.path_of(DEFAULT_TENANT, WEEK).read_bytes()
    assert put(folder, [kept_run("a")], [kept_run("b")]) is ArchiveResult.UNCHANGED
    assert folder.path_of(DEFAULT_TENANT, WEEK).read_bytes() == before
    assert put(folder, [kept_run("c", session_id="R")]) is ArchiveResult.EXTENDED
    assert [run.address.task_id for run in held_by(folder)] == ["c", "a", "b"]
    assert os.listdir(folder.folder) == ["default~2025-07-31.runs.jsonl.gz"]


def test_the_newest_says_what_a_run_was(tmp_path: Path) -> None:
    folder = RunArchiveFolder(tmp_path)
    put(folder, [kept_run("a", expires_at=2, data=b"late")], [kept_run("a", expires_at=1, data=b"early")])
    assert put(folder, [kept_run("a", expires_at=1, data=b"early")]) is ArchiveResult.UNCHANGED
    assert put(folder, [kept_run("a", expires_at=9, data=b"late")]) is ArchiveResult.UNCHANGED
    assert held_by(folder) == [kept_run("a", expires_at=2, data=b"late")]
    assert put(folder, [kept_run("a", expires_at=3, data=b"later")]) is ArchiveResult.EXTENDED
    assert held_by(folder) == [kept_run("a", expires_at=3, data=b"later")]


def test_a_file_that_cannot_be_finished_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunArchiveFolder(tmp_path)
    put(folder, [kept_run("a")])
    before = folder.path_of(DEFAULT_TENANT, WEEK).read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        put(folder, [kept_run("b")])
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [before]


def test_a_damaged_file_is_left_alone(tmp_path: Path) -> None:
    folder = RunArchiveFolder(tmp_path)
    put(folder, [kept_run("a")])
    path = folder.path_of(DEFAULT_TENANT, WEEK)
    path.write_bytes(path.read_bytes()[:-9])
    damaged = path.read_bytes()
    with pytest.raises(UnreadableArchive):
        put(folder, [kept_run("b")])
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [damaged]


def test_tenants_do_not_meet_nor_leave_the_folder() -> None:
    folder = RunArchiveFolder(Path("archives"))
    paths = {folder.path_of(kept_run("a", tenant=tenant).address.tenant, WEEK) for tenant in ("..", ".", "a")}
    assert len(paths) == 3
    assert {path.parent for path in paths} == {Path("archives")}


@settings(max_examples=40)
@given(runs=st.lists(some_runs, max_size=12), data=st.data())
def test_in_whatever_portions_they_come_the_bytes_are_the_same(
    runs: list[StoredRun], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(runs))
    cut = data.draw(st.integers(0, len(runs)))
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        at_once, twice = RunArchiveFolder(Path(one)), RunArchiveFolder(Path(other))
        put(at_once, runs)
        put(twice, shuffled[:cut], shuffled[cut:])
        whole = at_once.path_of(DEFAULT_TENANT, WEEK).read_bytes()
        assert twice.path_of(DEFAULT_TENANT, WEEK).read_bytes() == whole
        assert put(at_once, *([run] for run in shuffled)) is ArchiveResult.UNCHANGED
        keys = {(run.session_id, run.address.task_id) for run in runs}
        assert [(run.session_id, run.address.task_id) for run in held_by(at_once)] == sorted(keys)
