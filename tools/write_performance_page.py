"""Puts the figures of a run into docs/performance.md: the machine, what one of each carries, and the targets.

    python -m tools.write_performance_page benchmarks/results/FILE.json

The text around them stays as it is. Only of a run of all cases at full size.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.report import carried_table, machine_table, summary_table
from benchmarks.results import Report, read_report
from benchmarks.summary import summary

__all__ = ["PERFORMANCE_PAGE", "page_with"]

PERFORMANCE_PAGE = Path(__file__).parent.parent / "docs" / "performance.md"


def page_with(page: str, report: Report) -> str:
    """The page with this report's tables between the markers. Raises `LookupError` where a marker is missing."""
    tables = {
        "machine": f"Measured at {report.measured_at[:16]}Z.\n\n{machine_table(report)}",
        "carried": carried_table(report),
        "targets": summary_table(summary(report)),
    }
    for name, table in tables.items():
        page = _replaced(page, name, table)
    return page


def _replaced(page: str, name: str, table: str) -> str:
    before, begin, rest = page.partition(f"<!-- begin: {name} -->\n")
    _, end, after = rest.partition(f"<!-- end: {name} -->\n")
    if not begin or not end:
        raise LookupError(f"docs/performance.md has no place for {name!r}")
    return f"{before}{begin}\n{table}\n\n{end}{after}"


def main(file: str) -> int:
    """0, or 1 for a report of anything less than a whole run."""
    report = read_report(Path(file))
    if not report.is_whole:
        print("This is not a run of all cases at full size; run `make bench`.", file=sys.stderr)
        return 1
    page = PERFORMANCE_PAGE.read_text(encoding="utf-8")
    PERFORMANCE_PAGE.write_text(page_with(page, report), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
