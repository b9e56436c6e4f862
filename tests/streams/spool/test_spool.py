"""The spool as a whole: put, sync, drain, done, and the bounds."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import threading
import zlib
from pathlib import Path

import pytest
from streams.recording_steps import CountedSignals
from streams.spool.spool_steps import (
    append_of,
    appends_of,
    batches,
    damaged_files,
    drained,
    put,
    refused,
    segment_paths,
    synced,
)

from relayna.clock import FrozenClock
from relayna.errors import InvalidSetting, SpoolFailed, SpoolFull
from relayna.mint import CountingMint
from relayna.streams.spool import Spool, Synced, Written
from relayna.streams.spool.record_format import FORMAT_VERSION, MAX_PAYLOAD_BYTES, encode_records
from relayna.streams.spool.results import SpoolToken


def test_what_was_put_is_drained_in_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    put(spool, 1, 2)
    put(spool, 3)
    synced(spool)
    assert drained(spool) == appends_of([1, 2, 3])
    assert spool.is_empty
    assert segment_paths(tmp_path) == []
    assert spool.drain() is None


def test_every_tenant_keeps_its_own(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.put([append_of(1, tenant="acme"), append_of(1, tenant="umbrella")])
    assert [append.address.tenant for append in drained(spool)] == ["acme", "umbrella"]


def test_nothing_is_touched_until_it_is_used(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    assert spool.is_empty
    assert spool.sync() == Synced()
    assert put(spool).size == 0
    assert spool.drain() is None
    assert spool.close() == Synced()
    assert not (tmp_path / "spool").exists()


def test_a_batch_comes_again_until_it_is_done(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    put(spool, 1)
    first = spool.drain()
    put(spool, 2)
    again = spool.drain()
    assert first is not None
    assert first == again
    spool.done(first.token)
    spool.done(first.token)  # twice is once
    assert drained(spool) == appends_of([2])


def test_the_next_one_comes_beside_those_that_are_being_drained(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    put(spool, 1)
    first = spool.drain()
    assert first is not None
    assert spool.drain(besides=[first.token]) is None
    assert not spool.holds_more_than([first.token])
    put(spool, 2)
    assert spool.holds_more_than([first.token])
    second = spool.drain(besides=[first.token])
    assert second is not None
    assert (first.appends, second.appends) == (appends_of([1]), appends_of([2]))
    assert not spool.holds_more_than([first.token, second.token])
    spool.done(second.token)
    assert drained(spool) == first.appends


def test_a_token_of_nothing_is_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    put(spool, 1)
    spool.done(SpoolToken("/nowhere"))
    assert drained(spool) == appends_of([1])


def test_segments_are_small_and_come_oldest_first(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=500)
    for number in range(20):
        put(spool, number, size=100)
    assert all(path.stat().st_size <= 500 for path in segment_paths(tmp_path))
    found = list(batches(spool))
    assert len(found) > 4
    assert [append for batch in found for append in batch.appends] == appends_of(range(20), 100)


def test_what_was_put_together_is_not_torn_apart(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=300)
    put(spool, *range(20))
    put(spool, 20)
    assert [len(batch.appends) for batch in batches(spool)] == [20, 1]


def test_it_tells_how_much_waits_and_since_when(tmp_path: Path) -> None:
    clock = FrozenClock()
    began = clock.now()
    spool = Spool(tmp_path, clock=clock, segment_bytes=150)
    assert (spool.held_bytes, spool.oldest) == (0, None)
    put(spool, 1)
    one = spool.held_bytes
    assert one >= 40
    clock.advance(60)
    put(spool, 2)
    assert (spool.held_bytes > one, spool.oldest) == (True, began)
    batch = spool.drain()
    assert batch is not None
    assert batch.begun == began
    drained(spool)
    assert (spool.held_bytes, spool.oldest) == (0, None)


def test_a_full_spool_refuses_and_goes_on_when_it_is_drained(tmp_path: Path) -> None:
    signals = CountedSignals()
    spool = Spool(tmp_path, max_bytes=1_000, segment_bytes=500, counters=signals)
    taken = 0
    while isinstance(spool.put([append_of(taken, 100)]), Written):
        taken += 1
    error = refused(spool, 99, size=100).error
    assert isinstance(error, SpoolFull)
    assert "of 1000" in str(error)
    assert drained(spool) == appends_of(range(taken), 100)
    put(spool, 100)
    assert signals["relayna_spool_frames_total{outcome=written}"] == taken + 1
    assert signals["relayna_spool_frames_total{outcome=full}"] == 2


def test_the_bound_is_that_of_all_who_share_the_directory(tmp_path: Path) -> None:
    first = Spool(tmp_path, max_bytes=1_000, segment_bytes=200)
    second = Spool(tmp_path, max_bytes=1_000, segment_bytes=200)
    for number in range(6):
        put(first, number, size=100)
    put(second, 6, size=100)
    assert isinstance(refused(second, 7, size=300).error, SpoolFull)


def test_a_frame_that_no_record_holds_is_refused(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    error = refused(spool, 1, size=MAX_PAYLOAD_BYTES).error
    assert isinstance(error, SpoolFailed)
    assert "flush_bytes" in str(error)
    assert spool.is_empty


def test_a_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    spool = Spool(tmp_path / "file" / "spool")
    error = refused(spool, 1).error
    assert isinstance(error, SpoolFailed)
    assert "Check that the directory" in str(error)
    (tmp_path / "file").unlink()
    put(spool, 1)
    assert drained(spool) == appends_of([1])


def test_a_directory_that_disappears_is_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spool = Spool(tmp_path / "spool")
    put(spool, 1)
    shutil.rmtree(tmp_path / "spool")
    put(spool, 2)  # 1 was not confirmed yet, so it is still in memory
    synced(spool)
    shutil.rmtree(tmp_path / "spool")
    synced(spool)  # nothing new
    put(spool, 3)
    shutil.rmtree(tmp_path / "spool")
    synced(spool)
    assert drained(spool) == appends_of([3])
    assert "was deleted while it was written" in caplog.text


def test_a_closed_segment_that_disappears_is_passed_by(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=200)
    for number in range(3):
        put(spool, number, size=100)
    segment_paths(tmp_path)[0].unlink()
    assert drained(spool) == appends_of([1, 2], 100)
    put(spool, 3)
    batch = spool.drain()
    assert batch is not None
    Path(batch.token).unlink()
    spool.done(batch.token)
    assert spool.is_empty


def test_a_damaged_segment_gives_what_is_whole_and_is_kept_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    signals, clock = CountedSignals(), FrozenClock()
    spool = Spool(tmp_path, counters=signals, clock=clock)
    put(spool, 1, 2, 3)
    path = segment_paths(tmp_path)[0]
    path.write_bytes(path.read_bytes().replace(b"frame 2", b"frame X"))
    batch = spool.drain()
    assert batch == spool.drain()
    assert batch is not None
    assert batch.appends == appends_of([1, 3])
    assert batch.damaged_bytes > 40
    spool.done(batch.token)
    [kept] = damaged_files(tmp_path)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert kept.stat().st_mtime * 1_000_000 == clock.now()  # from now on it is kept for the full age
    assert signals["relayna_spool_lost_bytes_total{reason=damaged}"] == batch.damaged_bytes
    assert caplog.text.count("is damaged") == 1
    assert spool.drain() is None


def test_a_drained_segment_that_cannot_be_deleted_is_drained_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dead = Spool(tmp_path)
    put(dead, 1)
    dead.close()

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    spool = Spool(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refuse)
        assert drained(spool) == appends_of([1])
        assert spool.drain() is None
    assert "cannot be removed" in caplog.text
    spool.close()
    assert drained(Spool(tmp_path)) == appends_of([1])


def test_a_segment_of_which_nothing_is_left_is_kept_aside_at_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=200)
    for number in range(3):
        put(spool, number, size=100)
    segment_paths(tmp_path)[0].write_bytes(bytes(100))
    assert drained(spool) == appends_of([1, 2], 100)
    assert len(damaged_files(tmp_path)) == 1


def test_a_record_that_says_nothing_we_know_is_damage(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    put(spool, 1)
    [path] = segment_paths(tmp_path)
    salt = bytes.fromhex(path.stem.rpartition("-")[2])
    with path.open("ab") as file:
        file.write(encode_records([b"no append"], salt))
    batch = spool.drain()
    assert batch is not None
    assert (batch.appends, batch.damaged_bytes) == (appends_of([1]), len(b"no append"))


def test_damaged_segments_make_room_for_what_waits(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=1_000, segment_bytes=300)
    (tmp_path / "aa-0000000000001-0011223344556677.damaged").write_bytes(bytes(400))
    (tmp_path / "aa-0000000000002-0011223344556677.damaged").write_bytes(bytes(400))
    for number in range(4):
        put(spool, number, size=100)
    assert [path.name[3:16] for path in damaged_files(tmp_path)] == ["0000000000002"]
    for number in range(4, 6):
        put(spool, number, size=100)
    assert damaged_files(tmp_path) == []


def test_what_waits_too_long_is_deleted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    signals = CountedSignals()
    spool = Spool(tmp_path, segment_bytes=200, max_age_seconds=3_600, counters=signals)
    for number in range(3):
        put(spool, number, size=100)
    kept = tmp_path / "aa-0000000000001-0011223344556677.damaged"
    kept.touch()
    oldest = segment_paths(tmp_path)[0]
    size = oldest.stat().st_size
    for path in (oldest, kept):
        os.utime(path, (1, 1))
    assert drained(spool) == appends_of([1, 2], 100)
    assert damaged_files(tmp_path) == []
    assert signals["relayna_spool_lost_bytes_total{reason=expired}"] == size
    assert "waited too long" in caplog.text.lower()


def test_a_segment_of_a_newer_relayna_is_left_for_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(tmp_path, segment_bytes=200)
    put(spool, 0, size=100)
    put(spool, 1, size=100)
    newer = segment_paths(tmp_path)[0]
    header = b"rlnspool" + (FORMAT_VERSION + 1).to_bytes(2) + bytes(8)
    newer.write_bytes(header + zlib.crc32(header).to_bytes(4) + b"whatever")
    assert drained(spool) == appends_of([1], 100)
    assert spool.is_empty
    assert newer.exists()
    spool.close()
    later = Spool(tmp_path)
    for _ in range(3):
        assert later.drain() is None
    assert newer.exists()
    assert caplog.text.count("of a newer relayna") == 2  # once each


def test_a_segment_that_cannot_be_read_is_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(tmp_path, segment_bytes=200)
    put(spool, 0, size=100)
    put(spool, 1, size=100)
    unreadable = segment_paths(tmp_path)[0]
    unreadable.unlink()
    unreadable.mkdir()
    assert drained(spool) == appends_of([1], 100)
    assert "cannot be read and is passed over" in caplog.text


def test_a_closed_spool_leaves_what_waits_and_can_be_used_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    put(spool, 1)
    assert spool.close() == Synced()
    assert spool.is_empty
    other = Spool(tmp_path)
    assert drained(other) == appends_of([1])
    put(spool, 2)
    assert drained(spool) == appends_of([2])
    spool.close()
    other.close()
    assert list(tmp_path.iterdir()) == []


def test_own_segments_of_an_earlier_life_come_first(tmp_path: Path) -> None:
    spool = Spool(tmp_path, mint=CountingMint())
    put(spool, 1)
    spool.close()
    put(spool, 2)
    assert drained(spool) == appends_of([1, 2])


def test_threads_may_share_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=2_000)
    found = []

    def work(first: int) -> None:
        for number in range(first, first + 50):
            put(spool, number)

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 50, 100)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        found += drained(spool)
    found += drained(spool)
    assert sorted(append.payload for append in found) == sorted(one.payload for one in appends_of(range(150)))


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"fsync": "sometimes"}, "fsync"),
        ({"segment_bytes": 0}, "segment_bytes"),
        ({"max_bytes": 10, "segment_bytes": 11}, "segment_bytes"),
    ],
)
def test_settings_that_cannot_work_are_refused(tmp_path: Path, options: dict[str, int], name: str) -> None:
    with pytest.raises(InvalidSetting, match=name):
        Spool(tmp_path, **options)  # type: ignore[arg-type]
