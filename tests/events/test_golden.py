"""Frames that some relayna once wrote are read today as they were read then."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from relayna.events import Opaque, decode_frame, to_plain
from tools.add_golden_frame import GOLDEN, STREAM_ID, TASK_ID, golden_events, held_versions, missing_types

FRAMES = sorted(GOLDEN.glob("frame-*.msgpack"))


def test_the_first_golden_frame_is_still_there() -> None:
    assert GOLDEN / "frame-v1.msgpack" in FRAMES


def test_every_event_type_and_version_has_its_golden_frame() -> None:
    assert missing_types() == [], (
        "new in the vocabulary: run `python -m tools.add_golden_frame` and commit its files"
    )


@pytest.mark.parametrize("path", FRAMES, ids=lambda path: path.stem)
def test_a_golden_frame_reads_as_it_always_did(path: Path) -> None:
    frame = decode_frame(path.read_bytes(), task_id=TASK_ID, stream_id=STREAM_ID)
    expected = msgspec.json.decode(path.with_suffix(".json").read_bytes())
    # What was appended to a type since then may show its default now; nothing else may differ.
    read = msgspec.json.decode(msgspec.json.encode([to_plain(event) for event in frame.events]))
    shown = [{name: now.get(name) for name in then} for now, then in zip(read, expected, strict=True)]
    assert shown == expected
    assert [event for event in frame.events if isinstance(event.body, Opaque)] == []


def test_a_frame_of_no_golden_type_would_be_missed(tmp_path: Path) -> None:
    assert held_versions(tmp_path) == set()
    assert len(golden_events(missing_types(tmp_path))) == len(missing_types(tmp_path)) > 20
