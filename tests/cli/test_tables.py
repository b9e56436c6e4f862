"""Tables fit, and what is somebody else's text cannot speak to the terminal."""

from __future__ import annotations

import pytest

from relayna.cli.tables import duration_cell, time_cell, write_table
from relayna.instants import Instant


def written(capsys: pytest.CaptureFixture[str], rows: list[tuple[str, ...]], *elastic: int) -> list[str]:
    write_table(("FIRST", "SECOND", "N"), rows, elastic=elastic)
    return capsys.readouterr().out.splitlines()


def test_columns_are_as_wide_as_they_must_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert written(capsys, [("a", "bb", "1"), ("longer one", "", "22")]) == [
        "FIRST       SECOND  N",
        "a           bb      1",
        "longer one          22",
    ]


def test_elastic_columns_give_way(capsys: pytest.CaptureFixture[str]) -> None:
    lines = written(capsys, [("a" * 90, "b" * 50, "7" * 10)], 0, 1)
    assert max(map(len, lines)) == 80
    assert lines[1].endswith("7" * 10)
    assert "…  b" in lines[1]


def test_nothing_is_written_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert written(capsys, []) == []


def test_control_characters_are_spelled_out(capsys: pytest.CaptureFixture[str]) -> None:
    _, line = written(capsys, [("\x1b[2J", "a\nb", "\u202e")])
    assert line.split() == ["\\x1b[2J", "a\\nb", "\\u202e"]


def test_times_and_durations() -> None:
    assert time_cell(Instant(1_767_225_600_500_000)) == "2026-01-01 00:00:00"
    assert (time_cell(None), duration_cell(None), duration_cell(1204)) == ("-", "-", "1.204 s")
