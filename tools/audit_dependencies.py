"""Ask for known vulnerabilities of every package in constraints.txt; `make audit` and continuous integration run it.

    python -m tools.audit_dependencies

Exits with 0 when all were asked for and there is none that counts, 1 when there is one or when an exception has
run out, and 4 when any package could not be asked for: an audit of nothing is no audit. Exceptions are in
tools/audit_exceptions.toml, each with a reason and the last day on which it holds.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from relayna.clock import SystemClock
from relayna.instants import format_instant

__all__ = ["AuditResult", "ExceptionMade", "judge", "read_exceptions"]

HERE: Final = Path(__file__).parent
EXCEPTIONS: Final = HERE / "audit_exceptions.toml"
CONSTRAINTS: Final = HERE.parent / "constraints.txt"
_COMMAND: Final = (
    "-m",
    "pip_audit",
    "--no-deps",
    "--disable-pip",
    "--progress-spinner",
    "off",
    "--format",
    "json",
)


class ExceptionMade(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A known vulnerability that does not count for now."""

    id: str
    """As the advisory is called, or one of its aliases."""
    package: str
    reason: str
    """Why it does no harm here."""
    until: date
    """The last day on which it holds."""


class AuditResult(Struct, frozen=True, kw_only=True):
    """What came of an audit."""

    code: int
    lines: tuple[str, ...]


def read_exceptions(text: str) -> list[ExceptionMade]:
    """The exceptions in a TOML file of `[[exception]]` tables. Raises `msgspec.ValidationError`."""
    return msgspec.convert(tomllib.loads(text).get("exception", []), list[ExceptionMade])


def judge(report: Any, exceptions: Sequence[ExceptionMade], today: date) -> AuditResult:  # Any: JSON values
    """What pip-audit's JSON report comes to."""
    packages = report.get("dependencies", [])
    unasked = [package["name"] for package in packages if "vulns" not in package]
    problems = [
        f"{package['name']} {package['version']}: {one['id']} ({', '.join(one.get('fix_versions', ())) or 'no fix yet'})"
        for package in packages
        for one in package.get("vulns", ())
        if not any(_covers(made, package, one, today) for made in exceptions)
    ]
    over = [
        f"{made.package}: the exception for {made.id} ran out on {made.until}"
        for made in exceptions
        if made.until < today
    ]
    if problems or over:
        return AuditResult(code=1, lines=(*problems, *over, *_told(unasked, len(packages))))
    if unasked or not packages:
        return AuditResult(code=4, lines=_told(unasked, len(packages)))
    return AuditResult(code=0, lines=(f"{len(packages)} packages, nothing known that counts.",))


def _covers(
    made: ExceptionMade, package: dict[str, Any], one: dict[str, Any], today: date
) -> bool:  # Any: JSON values
    return (
        made.until >= today
        and made.package == package["name"]
        and made.id in (one["id"], *one.get("aliases", ()))
    )


def _told(unasked: Sequence[str], count: int) -> tuple[str, ...]:
    if count == 0:
        return ("NOT AUDITED: there was no answer for any package.",)
    if not unasked:
        return ()
    named = ", ".join(unasked[:5]) + (" …" if len(unasked) > 5 else "")
    return (f"NOT AUDITED: {len(unasked)} of {count} packages could not be asked for: {named}",)


def _report(constraints: Path) -> Any:  # Any: JSON values
    command = [sys.executable, *_COMMAND, "--requirement", str(constraints)]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - our own interpreter
    try:
        return msgspec.json.decode(done.stdout)
    except msgspec.DecodeError:
        sys.stderr.buffer.write(done.stderr[-2000:])
        return {}


def _tell(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def main() -> int:
    """Run the audit and tell its result."""
    today = date.fromisoformat(format_instant(SystemClock().now())[:10])
    exceptions = read_exceptions(EXCEPTIONS.read_text(encoding="utf-8"))
    result = judge(_report(CONSTRAINTS), exceptions, today)
    _tell(result.lines)
    if result.code == 4:
        print(
            "The service with the advisories is away, or cannot be reached from here: try again where it can."
        )
    return result.code


if __name__ == "__main__":
    sys.exit(main())
