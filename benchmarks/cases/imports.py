"""How long a program waits for relayna before its own first line, beside an interpreter that does nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Final

from benchmarks.case import Bench, Case
from benchmarks.figures import Figure, Target
from benchmarks.measuring import interleaved
from benchmarks.targets import HELP, IMPORT

__all__ = ["IMPORTS"]

_SCRIPT: Final = "from relayna.cli.main import main; main()"
"""What the installed command `relayna` does."""
_TARGETS: Final[dict[str, Target]] = {"import relayna": IMPORT, "relayna --help": HELP}


def _run(bench: Bench) -> Iterator[Figure]:
    commands = {
        "an interpreter that does nothing": [sys.executable, "-c", ""],
        "import relayna": [sys.executable, "-c", "import relayna"],
        "import relayna.consumer": [sys.executable, "-c", "import relayna.consumer"],
        "import relayna.observability": [sys.executable, "-c", "import relayna.observability"],
        "relayna --help": [sys.executable, "-c", _SCRIPT, "--help"],
    }
    works = {name: _process(arguments) for name, arguments in commands.items()}
    for name, samples in interleaved(works, rounds=bench.rounds + (0 if bench.quick else 2)).items():
        in_ms = [sample * 1000 for sample in samples]
        yield Figure(name=name, unit="ms", samples=in_ms, target=_TARGETS.get(name))


def _process(arguments: list[str]) -> Callable[[], object]:
    return lambda: subprocess.run(arguments, check=True, capture_output=True)


IMPORTS: Final = Case("imports", "Wall time of a new process, with the interpreter's own start.", _run)
