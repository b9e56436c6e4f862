"""What the spool does when the disk does not confirm.

No file system here fails on demand, so `os.fsync` itself is made to fail, as the kernel makes it: once,
after which it succeeds again whatever became of the data.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from streams.spool.spool_steps import appends_of, drained, not_synced, put, refused, segment_paths, synced

from relayna.errors import SpoolFailed
from relayna.streams.spool import Spool, Synced


class Disk:
    """Counts what is synced, and fails when it is told to."""

    def __init__(self) -> None:
        self.failures = 0
        self.synced: list[str] = []
        self._fsync = os.fsync

    def fsync(self, descriptor: int) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self.synced.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        self._fsync(descriptor)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("needs /proc to tell files by their descriptors")
    disk = Disk()
    monkeypatch.setattr(os, "fsync", disk.fsync)
    return disk


def segments_synced(disk: Disk) -> int:
    return sum(name.endswith(".segment") for name in disk.synced)


def test_the_disk_is_waited_for_when_somebody_asks(tmp_path: Path, disk: Disk) -> None:
    spool = Spool(tmp_path / "spool")
    put(spool, 1)
    put(spool, 2)
    assert segments_synced(disk) == 0
    synced(spool)
    synced(spool)
    assert segments_synced(disk) == 1
    [producer] = [path.name for path in (tmp_path / "spool").iterdir()]
    assert {tmp_path.name, "spool", producer} <= set(disk.synced)  # a file lasts only when its names do


def test_the_names_are_synced_once_a_segment(tmp_path: Path, disk: Disk) -> None:
    spool = Spool(tmp_path)
    put(spool, 1)
    synced(spool)
    disk.synced.clear()
    put(spool, 2)
    synced(spool)
    assert len(disk.synced) == 1


def test_always_is_always(tmp_path: Path, disk: Disk) -> None:
    spool = Spool(tmp_path, fsync="always")
    put(spool, 1)
    put(spool, 2)
    assert segments_synced(disk) == 2


def test_never_is_never(tmp_path: Path, disk: Disk) -> None:
    spool = Spool(tmp_path, fsync="never", segment_bytes=200)
    for number in range(4):
        put(spool, number, size=100)
    assert spool.sync() == Synced()
    assert drained(spool) == appends_of(range(4), 100)
    assert segments_synced(disk) == 0


def test_a_full_segment_is_made_durable_before_the_next(tmp_path: Path, disk: Disk) -> None:
    spool = Spool(tmp_path, segment_bytes=200)
    for number in range(4):
        put(spool, number, size=100)
    assert segments_synced(disk) == 3


def test_after_a_failure_all_that_is_not_confirmed_is_written_anew(tmp_path: Path, disk: Disk) -> None:
    spool = Spool(tmp_path)
    put(spool, 1)
    synced(spool)
    [old] = segment_paths(tmp_path)
    put(spool, 2, 3)
    disk.failures = 1
    synced(spool)
    assert [path for path in segment_paths(tmp_path) if path != old]
    # The old segment is not trusted: even when all that it did not confirm is gone, nothing is lost.
    old.write_bytes(old.read_bytes()[: len(old.read_bytes()) // 2])
    assert drained(spool)[-2:] == appends_of([2, 3])


def test_a_segment_of_which_nothing_was_confirmed_is_not_kept(tmp_path: Path, disk: Disk) -> None:
    spool = Spool(tmp_path)
    put(spool, 1)
    [old] = segment_paths(tmp_path)
    disk.failures = 1
    synced(spool)
    assert not old.exists()
    assert drained(spool) == appends_of([1])


def test_after_two_failures_what_may_be_gone_is_handed_back(tmp_path: Path, disk: Disk) -> None:
    spool = Spool(tmp_path)
    put(spool, 1)
    synced(spool)
    put(spool, 2)
    put(spool, 3)
    disk.failures = 2
    result = not_synced(spool)
    assert result.appends == appends_of([2, 3])
    assert isinstance(result.error, SpoolFailed)
    synced(spool)  # nothing is left to be confirmed
    put(spool, 4)
    synced(spool)
    assert set(map(repr, appends_of([1, 4]))) <= set(map(repr, drained(spool)))


def test_a_put_that_always_waits_is_refused_as_a_whole(tmp_path: Path, disk: Disk) -> None:
    spool = Spool(tmp_path, fsync="always")
    put(spool, 1)
    disk.failures = 2
    refused(spool, 2)
    put(spool, 3)
    synced(spool)
    frames = drained(spool)
    assert appends_of([1])[0] in frames
    assert frames.count(appends_of([2])[0]) <= 1  # not written anew: it is the caller's again
    assert frames[-1:] == appends_of([3])


def test_a_dying_disk_does_not_fill_the_memory(tmp_path: Path, disk: Disk) -> None:
    spool = Spool(tmp_path, segment_bytes=500)
    taken = 0
    put(spool, 0, size=100)
    for number in range(1, 50):
        disk.failures = 1_000
        result = spool.put(appends_of([number], 100))
        taken += not hasattr(result, "error")
    assert taken <= 4
    assert len(not_synced(spool).appends) == taken + 1
    assert len(segment_paths(tmp_path)) <= 1
    disk.failures = 0
    put(spool, 50)
    synced(spool)
    assert drained(spool)[-1:] == appends_of([50])


def test_what_could_not_be_confirmed_at_a_segments_end_is_confirmed_later(tmp_path: Path, disk: Disk) -> None:
    spool = Spool(tmp_path, segment_bytes=200)
    put(spool, 1, size=100)
    disk.failures = 2
    refused(spool, 2, size=100)
    assert not spool.is_empty
    put(spool, 3, size=100)
    synced(spool)
    assert drained(spool) == appends_of([1, 3], 100)


def test_draining_waits_until_what_is_drained_is_known_to_be_whole(tmp_path: Path, disk: Disk) -> None:
    spool = Spool(tmp_path)
    put(spool, 1)
    disk.failures = 2
    assert spool.drain() is None
    assert not spool.is_empty
    assert drained(spool) == appends_of([1])


def test_closing_says_what_may_be_gone(tmp_path: Path, disk: Disk) -> None:
    spool = Spool(tmp_path)
    put(spool, 1)
    disk.failures = 2
    result = spool.close()
    assert not isinstance(result, Synced)
    assert result.appends == appends_of([1])


def test_a_folder_that_cannot_be_made_durable_is_not_used(tmp_path: Path, disk: Disk) -> None:
    spool = Spool(tmp_path)
    disk.failures = 1
    refused(spool, 1)
    assert list(tmp_path.iterdir()) == []
    put(spool, 2)
    assert drained(spool) == appends_of([2])
