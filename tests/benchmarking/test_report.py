"""The tables, word for word, and the JSON beside them."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from benchmarking.sample_reports import KNOWN, report

from benchmarks.report import markdown
from benchmarks.results import read_report, write_report
from benchmarks.summary import failures, summary

GOLDEN = Path(__file__).with_name("report.md")


def test_the_tables() -> None:
    whole = report()
    assert markdown(whole, summary(whole, KNOWN), failures(whole, KNOWN)) == GOLDEN.read_text(
        encoding="utf-8"
    )


def test_json_tells_every_sample_and_can_be_read_back(tmp_path: Path) -> None:
    file = tmp_path / "results" / "one.json"
    write_report(report(), file)
    [_, hanging, _] = json.loads(file.read_bytes())["cases"][0]["figures"]
    assert hanging["samples"] == [3.2, 2.9, 3.4]
    assert (hanging["median"], hanging["verdict"]) == (3.2, "within noise")
    assert read_report(file) == report()


def test_what_is_no_report_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    file.write_text('{"quick": "yes"}')
    with pytest.raises(msgspec.ValidationError):
        read_report(file)
