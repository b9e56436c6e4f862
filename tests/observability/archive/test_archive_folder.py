"""The folder of archives: whole files, nothing twice, nothing taken away."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from observability.archive.archive_steps import task

from relayna.ids import StreamId, TaskId, Tenant
from relayna.observability.archive import (
    ArchivedTask,
    ArchiveFolder,
    ArchiveResult,
    UnreadableArchive,
    read_archive,
)
from relayna.streams.keys import KeyGrammar, TaskAddress
from relayna.streams.log import Entry

T = task("T")


def of(*numbers: int, address: TaskAddress = T) -> ArchivedTask:
    entries = [Entry(StreamId(f"{number}-0"), b"%d" % number) for number in numbers]
    return ArchivedTask(address=address, entries=entries)


@pytest.fixture
def folder(tmp_path: Path) -> ArchiveFolder:
    return ArchiveFolder(tmp_path / "archives", KeyGrammar("p", 64))


def test_archiving_twice_changes_nothing(folder: ArchiveFolder) -> None:
    assert folder.put(of(1, 2)) is ArchiveResult.WRITTEN
    first = folder.path_of(T).read_bytes()
    assert folder.put(of(1, 2)) is ArchiveResult.UNCHANGED
    assert folder.path_of(T).read_bytes() == first


def test_what_is_new_is_added_and_what_is_gone_stays(folder: ArchiveFolder) -> None:
    folder.put(of(1, 2))
    assert folder.put(of(2, 3)) is ArchiveResult.EXTENDED
    assert folder.put(of()) is ArchiveResult.UNCHANGED
    assert read_archive(folder.path_of(T).read_bytes()) == of(1, 2, 3)
    assert [path.name for path in folder.path_of(T).parent.iterdir()] == ["default~T.jsonl.gz"]


@pytest.mark.parametrize(
    "data",
    [b"", b"not gzip", gzip.compress(b"")[:-3], gzip.compress(b"{}\n")],
    ids=["empty", "no gzip", "cut", "no archive"],
)
def test_a_file_that_is_no_archive_is_left_alone(folder: ArchiveFolder, data: bytes) -> None:
    path = folder.path_of(T)
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    with pytest.raises(UnreadableArchive):
        folder.put(of(1))
    assert path.read_bytes() == data


@pytest.mark.parametrize("task_id", ["a/../../b", "..", "x" * 500, "~", "nul\0", "\N{GHOST}" * 99, "."])
def test_hostile_ids_stay_in_the_folder(folder: ArchiveFolder, task_id: str) -> None:
    address = TaskAddress(TaskId(task_id), Tenant("t" * 64))
    folder.put(of(1, address=address))
    path = folder.path_of(address)
    assert path.resolve().is_relative_to(folder.folder.resolve())
    assert read_archive(path.read_bytes()) == of(1, address=address)


def test_the_same_task_gives_the_same_bytes(tmp_path: Path) -> None:
    folders = [ArchiveFolder(tmp_path / name, KeyGrammar("p", 64)) for name in ("a", "b")]
    for one in folders:
        one.put(of(1, 2))
    assert folders[0].path_of(T).read_bytes() == folders[1].path_of(T).read_bytes()
