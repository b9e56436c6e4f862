"""An audit of dependencies is red for what is known, for exceptions that ran out, and for what nobody could ask."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest
from house.project_files import ROOT

from tools.audit_dependencies import EXCEPTIONS, ExceptionMade, judge, read_exceptions

TODAY = date(2026, 6, 1)
CLEAN: dict[str, Any] = {"name": "fine", "version": "1.0", "vulns": []}
HOLED: dict[str, Any] = {
    "name": "holed",
    "version": "2.0",
    "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["2.1"]}],
}
UNASKED: dict[str, Any] = {"name": "private", "skip_reason": "could not be audited"}


def made(**fields: Any) -> ExceptionMade:
    given = {"id": "PYSEC-1", "package": "holed", "reason": "not used", "until": TODAY, **fields}
    return ExceptionMade(**given)


@pytest.mark.parametrize(
    ("packages", "exceptions", "code", "said"),
    [
        ([CLEAN], [], 0, "1 packages, nothing known"),
        ([CLEAN, HOLED], [], 1, "holed 2.0: PYSEC-1 (2.1)"),
        ([CLEAN, HOLED], [made()], 0, "2 packages"),
        ([CLEAN, HOLED], [made(id="CVE-1")], 0, "2 packages"),
        ([CLEAN, HOLED], [made(package="fine")], 1, "PYSEC-1"),
        ([CLEAN, HOLED], [made(id="PYSEC-2")], 1, "PYSEC-1"),
        ([CLEAN, HOLED], [made(until=date(2026, 5, 31))], 1, "ran out on 2026-05-31"),
        ([CLEAN], [made(until=date(2026, 5, 31))], 1, "ran out on 2026-05-31"),
        ([CLEAN, UNASKED], [], 4, "NOT AUDITED: 1 of 2 packages"),
        ([UNASKED], [], 4, "NOT AUDITED"),
        ([UNASKED, HOLED], [], 1, "NOT AUDITED"),
        ([], [], 4, "NOT AUDITED: there was no answer"),
    ],
)
def test_what_comes_of_an_audit(
    packages: list[dict[str, Any]], exceptions: list[ExceptionMade], code: int, said: str
) -> None:
    result = judge({"dependencies": packages}, exceptions, TODAY)
    assert result.code == code
    assert any(said in line for line in result.lines), result.lines


def test_no_report_is_no_audit() -> None:
    assert judge({}, [], TODAY).code == 4


def test_exceptions_have_a_reason_and_a_day() -> None:
    for exception in read_exceptions(EXCEPTIONS.read_text(encoding="utf-8")):
        assert exception.reason.strip()
    [read] = read_exceptions('[[exception]]\nid="a"\npackage="b"\nreason="c"\nuntil=2026-12-31\n')
    assert read.until == date(2026, 12, 31)
    for wrong in ('until="soon"', "until=1", ""):
        with pytest.raises(msgspec.ValidationError):
            read_exceptions(f'[[exception]]\nid="a"\npackage="b"\nreason="c"\n{wrong}\n')


def test_make_audit_runs_it() -> None:
    assert "-m tools.audit_dependencies" in (ROOT / "Makefile").read_text(encoding="utf-8")
