"""Processes that share a spool: who lives keeps what is theirs, who was killed leaves it to others."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
from streams.spool.spool_steps import append_of, appends_of, drained, says, spooling

from relayna.streams.spool import Spool


def test_what_a_living_process_spooled_is_its_own_until_it_dies(tmp_path: Path) -> None:
    with spooling(tmp_path, "live") as process:
        assert says(process) == "put"
        spool = Spool(tmp_path)
        assert spool.drain() is None
        process.kill()
        process.wait()
        assert drained(spool) == appends_of([0, 1, 2])
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_what_a_process_left_is_adopted_by_one_only(tmp_path: Path) -> None:
    with spooling(tmp_path, "live") as process:
        assert says(process) == "put"
    first, second = Spool(tmp_path), Spool(tmp_path)
    batch = first.drain()
    assert batch is not None
    assert second.drain() is None
    first.close()  # half-way: it is drained again
    assert drained(second) == batch.appends


@pytest.mark.parametrize("after", [0, 3, 20, 60])
def test_all_that_was_confirmed_outlives_a_kill_in_mid_write(tmp_path: Path, after: int) -> None:
    with spooling(tmp_path, "endless") as process:
        for _ in range(after + 1):
            confirmed = int(says(process))
        process.send_signal(signal.SIGKILL)
        process.wait()
        rest = process.stdout.read().split() if process.stdout else []
    confirmed = int(rest[-1]) if rest else confirmed
    found = drained(Spool(tmp_path))
    assert found[: confirmed + 1] == appends_of(range(confirmed + 1), 5_000)
    assert found == appends_of(range(len(found)), 5_000)
    assert len(found) <= confirmed + 1 + 2 * 3  # what was put, and not confirmed any more


def test_a_forked_child_writes_for_itself(tmp_path: Path) -> None:
    with spooling(tmp_path, "fork") as process:
        assert says(process) == "2"  # folders
        process.wait()
    found = drained(Spool(tmp_path))
    assert sorted(append.payload for append in found) == [append.payload for append in appends_of([0, 1, 2])]


def test_a_child_does_not_keep_its_parents_lock(tmp_path: Path) -> None:
    with spooling(tmp_path, "orphan") as process:
        assert says(process) == "orphaned"
        assert process.wait() == -signal.SIGKILL
        assert drained(Spool(tmp_path)) == appends_of([0])


def test_files_that_may_not_grow_refuse_whole_frames(tmp_path: Path) -> None:
    with spooling(tmp_path, "limits", "20", "7") as process:
        for part in range(20):
            written = [int(number) for number in says(process).split()]
            found = drained(Spool(tmp_path / str(part)))
            assert [append.address for append in found] == [append_of(number).address for number in written]
        assert process.wait() == 0


def test_a_full_disk_refuses_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    # A mount of the process's own, which goes with it: what is killed here leaves none behind.
    mounted = 'mount -t tmpfs -o size=64k tmpfs "$0" || exit 77; exec "$@"'
    alone = ["unshare", "--map-root-user", "--mount", "sh", "-c", mounted, os.fspath(tmp_path)]
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare to mount a small disk; files that may not grow are tested above")
    with spooling(tmp_path, "small_disk", within=alone) as process:
        said = says(process)
        if not said and process.wait():
            pytest.skip("this system mounts no small disk; files that may not grow are tested above")
        assert said == "SpoolFull, No space left on device"
        assert says(process) == "whole"
        assert process.wait() == 0
