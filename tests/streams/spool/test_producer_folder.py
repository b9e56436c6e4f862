"""A producer's folder belongs to who holds its lock."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from relayna.streams.spool.producer_folder import ProducerFolder, adopt_folder, claim_folder


def claimed(directory: Path, producer: str = "aa") -> ProducerFolder:
    return claim_folder(directory, producer)


def with_a_segment(folder: ProducerFolder, now_ms: int = 7) -> ProducerFolder:
    folder.begin_segment(now_ms).close()
    return folder


def test_a_claimed_folder_is_private_and_locked(tmp_path: Path) -> None:
    folder = claimed(tmp_path / "deep" / "spool")
    assert folder.path == tmp_path / "deep" / "spool" / "aa"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder.path.parent, folder.path)] == [0o700] * 2
    assert stat.S_IMODE((folder.path / "lock").stat().st_mode) == 0o600
    assert adopt_folder(folder.path) is None
    folder.release()


def test_two_of_one_name_get_two_folders(tmp_path: Path) -> None:
    first, second = claimed(tmp_path), claimed(tmp_path)
    assert (first.path.name, second.path.name) == ("aa", "aa-1")
    first.release()
    second.release()


def test_so_many_of_one_name_cannot_be(tmp_path: Path) -> None:
    folders = [claimed(tmp_path) for _ in range(16)]
    with pytest.raises(BlockingIOError, match="16 folders of this producer's name"):
        claimed(tmp_path)
    for folder in folders:
        folder.release()


def test_an_empty_folder_is_deleted_when_it_is_left(tmp_path: Path) -> None:
    claimed(tmp_path).release()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_left_to_be_adopted(tmp_path: Path) -> None:
    with_a_segment(claimed(tmp_path)).release()
    adopted = adopt_folder(tmp_path / "aa")
    assert adopted is not None
    assert [segment.begun_ms for segment in adopted.found] == [7]
    assert adopt_folder(tmp_path / "aa") is None
    adopted.release()


def test_numbers_go_up_though_the_clock_goes_back(tmp_path: Path) -> None:
    folder = claimed(tmp_path)
    for now_ms in (50, 50, 20, 60):
        folder.begin_segment(now_ms).close()
    assert [segment.begun_ms for segment in folder.segments()] == [50, 51, 52, 60]
    folder.release()
    again = claimed(tmp_path)
    again.begin_segment(10).close()
    assert again.segments()[-1].begun_ms == 61
    again.release()


def test_a_lock_that_was_deleted_protects_nothing(tmp_path: Path) -> None:
    folder = claimed(tmp_path)
    (folder.path / "lock").unlink()
    assert not folder.is_there()
    other = adopt_folder(folder.path)
    assert other is not None
    folder.release()
    assert other.is_there()  # what is not ours any more is not deleted
    other.release()


def test_a_lock_that_is_deleted_while_it_is_opened_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening the file and locking it, whoever held it may delete the folder."""
    folder = claimed(tmp_path)
    opened = os.open

    def open_and_lose(path: Path, flags: int, mode: int = 0o777) -> int:
        descriptor = opened(path, flags, mode)
        folder.release()
        return descriptor

    monkeypatch.setattr(os, "open", open_and_lose)
    assert adopt_folder(folder.path) is None


@pytest.mark.parametrize("name", ["missing", "file"])
def test_what_is_no_folder_is_not_adopted(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    assert adopt_folder(tmp_path / name) is None
