"""Runs the real command in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

__all__ = ["ROOT", "environment", "hear_interrupts", "relayna"]

ROOT = Path(__file__).parents[2]


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without relayna's own variables, and with these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RELAYNA_")}
    return {**kept, "PYTHONPATH": str(ROOT), **variables}


def hear_interrupts() -> None:
    """For `preexec_fn`: a shell that runs the tests in the background has all its children ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def relayna(*arguments: str, timeout: float = 60, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run `relayna` with these arguments; warnings are errors there too."""
    command = [sys.executable, "-W", "error", "-m", "relayna.cli.main", *arguments]
    return subprocess.run(
        command, capture_output=True, check=False, timeout=timeout, env=environment(**variables)
    )
