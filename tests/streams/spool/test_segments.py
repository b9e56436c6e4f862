"""Segments on disk: what is written whole, what is taken back, whose files are private."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from relayna.streams.spool.record_format import HEADER_BYTES, scan
from relayna.streams.spool.segments import OpenSegment, segment_file


def test_a_segment_is_named_for_its_age_and_its_salt(tmp_path: Path) -> None:
    segment = OpenSegment(tmp_path, 1_767_225_600_000)
    assert segment.path.name == f"1767225600000-{segment.salt.hex()}.segment"
    segment.append([b"one"])
    segment.close()
    found = segment_file(segment.path)
    assert found == segment.file()
    assert (found.begun_ms, found.salt, found.size) == (1_767_225_600_000, segment.salt, segment.size)


def test_other_names_are_no_segments(tmp_path: Path) -> None:
    for name in ("lock", "1-00.segment", "x-0011223344556677.segment", "1-0011223344556677.segment.damaged"):
        (tmp_path / name).touch()
        assert segment_file(tmp_path / name) is None


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    segment = OpenSegment(tmp_path, 1)
    assert stat.S_IMODE(segment.path.stat().st_mode) == 0o600
    segment.close()


def test_it_is_empty_until_something_is_written(tmp_path: Path) -> None:
    segment = OpenSegment(tmp_path, 1)
    assert segment.is_empty
    assert segment.path.stat().st_size == segment.size == HEADER_BYTES
    segment.append([b"one", b"two"])
    assert not segment.is_empty
    segment.sync()
    segment.close()
    assert scan(segment.path.read_bytes()).payloads == [b"one", b"two"]


def test_a_part_that_was_written_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segment = OpenSegment(tmp_path, 1)
    segment.append([b"one"])
    write = os.write
    calls = []

    def half(descriptor: int, data: bytes) -> int:
        calls.append(len(data))
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(OSError, match="No space"):
        segment.append([b"two" * 10])
    monkeypatch.undo()
    assert not segment.is_torn
    segment.append([b"three"])
    segment.close()
    found = scan(segment.path.read_bytes())
    assert (found.payloads, found.damaged) == ([b"one", b"three"], [])


def test_short_writes_are_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    segment = OpenSegment(tmp_path, 1)
    segment.append([b"one", b"two"])
    segment.close()
    assert scan(segment.path.read_bytes()).payloads == [b"one", b"two"]


def test_a_disk_that_takes_nothing_and_says_nothing_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "write", lambda descriptor, data: 0)
    with pytest.raises(OSError, match="Input/output error"):
        OpenSegment(tmp_path, 1)
    assert list(tmp_path.iterdir()) == []


def test_a_part_that_cannot_be_taken_back_tears_the_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = OpenSegment(tmp_path, 1)

    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "write", fail)
    monkeypatch.setattr(os, "ftruncate", fail)
    with pytest.raises(OSError, match="Input/output"):
        segment.append([b"one"])
    assert segment.is_torn
    segment.close()


def test_a_segment_that_was_deleted_cannot_be_made_durable(tmp_path: Path) -> None:
    segment = OpenSegment(tmp_path, 1)
    segment.path.unlink()
    assert not segment.is_there()
    with pytest.raises(FileNotFoundError, match="deleted or moved"):
        segment.sync()
    segment.discard()


def test_it_can_be_closed_twice(tmp_path: Path) -> None:
    segment = OpenSegment(tmp_path, 1)
    segment.close()
    segment.discard()
    assert list(tmp_path.iterdir()) == []
