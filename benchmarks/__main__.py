"""The command: run the cases, print a table of each as soon as it is there, keep all of it as JSON and Markdown."""

from __future__ import annotations

import argparse
import logging
import sys
from os.path import relpath
from pathlib import Path
from typing import Final

from benchmarks.budgets import BUDGETS
from benchmarks.case import ROUNDS, Bench
from benchmarks.registry import CASES
from benchmarks.report import case_table, conclusion, heading, markdown
from benchmarks.results import CaseResult, Report, read_report, write_report
from benchmarks.running import begin_report, run_cases
from benchmarks.shape import faults
from benchmarks.summary import failures, summary

RESULTS: Final = Path(__file__).parent / "results"


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for. 1 when a target was missed by more than the run's own noise, or with `--shape` when
    the report is not what it should be; else 0."""
    asked = _parser().parse_args(arguments, namespace=_Arguments())
    if asked.listing:
        return _list()
    # Some cases break the store on purpose, and what the recorder then has to say is not the figure.
    logging.getLogger("relayna").addHandler(logging.NullHandler())
    logging.getLogger("relayna").propagate = False
    report = begin_report(quick=asked.quick, rounds=ROUNDS, only=asked.only)
    file = asked.json or RESULTS / f"{report.measured_at[:19].replace(':', '')}.json"
    print(heading(report), flush=True)
    _measure(asked, report, file)
    missed = failures(report)
    print(conclusion(report, summary(report), missed))
    print(f"Every sample is in {relpath(file)}, these tables in {relpath(file.with_suffix('.md'))}.")
    return _judge_shape(file) if asked.shape else bool(missed)


def _measure(asked: _Arguments, report: Report, file: Path) -> None:
    def keep(result: CaseResult) -> None:
        print(case_table(result), flush=True)
        write_report(report, file)  # what is there is kept, whatever comes after it

    cases = [case for case in CASES if not asked.only or case.name in asked.only]
    with Bench(quick=asked.quick) as bench:
        run_cases(cases, bench, report, on_case=keep)
    file.with_suffix(".md").write_text(markdown(report, summary(report), failures(report)), encoding="utf-8")


def _judge_shape(file: Path) -> int:
    """Of what was written, so that this is looked at too."""
    report = read_report(file)
    found = faults(report, report.only or [case.name for case in CASES])
    for fault in found:
        print(f"not as it should be: {fault}", file=sys.stderr)
    return bool(found)


def _list() -> int:
    for case in CASES:
        budget = BUDGETS[case.name]
        print(f"{case.name:10} {budget.whole:4g} s, quick {budget.quick:2g} s: {case.about}")
    return 0


class _Arguments(argparse.Namespace):
    quick: bool
    shape: bool
    listing: bool
    only: list[str]
    json: Path | None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes: under 90 seconds in all")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        choices=[case.name for case in CASES],
        help="one case, or several",
    )
    parser.add_argument(
        "--shape", action="store_true", help="fail for a report that is incomplete, and never for a figure"
    )
    parser.add_argument(
        "--list", dest="listing", action="store_true", help="say which cases there are, and run none"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="where the JSON goes; the Markdown lies beside it"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
