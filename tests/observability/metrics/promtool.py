"""Prometheus' own tool, by which the tests ask whether what we write is what it takes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from servers import missing_server

__all__ = ["ask_promtool"]


def ask_promtool(*arguments: str | Path, given: bytes = b"", within: Path | None = None) -> str:
    """What promtool has to say; the test fails when it objects. Skips or fails the test where there is none."""
    binary = shutil.which("promtool")
    if binary is None:
        missing_server("no promtool: install the Debian package `prometheus`")
    asked = subprocess.run(
        [binary, *map(str, arguments)], input=given, capture_output=True, cwd=within, check=False, timeout=60
    )
    said = (asked.stdout + asked.stderr).decode()
    assert asked.returncode == 0, said
    return said
