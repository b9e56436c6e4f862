"""The command: run the cases, print a table of each as soon as it is there, keep everything as JSON."""

from __future__ import annotations

import argparse
import logging
from os.path import relpath
from pathlib import Path
from time import perf_counter

from benchmarks.case import Bench
from benchmarks.figures import Figure
from benchmarks.machine import describe_machine
from benchmarks.registry import CASES
from benchmarks.report import case_table, machine_table, write_results


def main() -> None:
    """Run what was asked for; the exit code is 0, whatever the figures are."""
    asked = _arguments()
    # Some cases break the store on purpose, and what the recorder then has to say is not the figure.
    logging.getLogger("relayna").addHandler(logging.NullHandler())
    logging.getLogger("relayna").propagate = False
    machine = describe_machine()
    print(f"# Benchmarks{' (quick)' if asked.quick else ''}\n\n{machine_table(machine)}\n", flush=True)
    results: dict[str, list[Figure]] = {}
    start = perf_counter()
    with Bench(quick=asked.quick) as bench:
        for case in CASES:
            if asked.only in (None, case.name):
                results[case.name] = list(case.run(bench))
                print(case_table(case, results[case.name]), flush=True)
    path = write_results(machine, results, quick=asked.quick, file=asked.json)
    print(f"{perf_counter() - start:.0f} s in all; every sample is in {relpath(path)}")


class _Arguments(argparse.Namespace):
    quick: bool
    only: str | None
    json: Path | None


def _arguments() -> _Arguments:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes: under a minute in all")
    parser.add_argument("--only", choices=[case.name for case in CASES], help="one case")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the JSON goes")
    return parser.parse_args(namespace=_Arguments())


if __name__ == "__main__":
    main()
