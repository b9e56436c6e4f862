"""What the figures were measured on. Owns the description; names no host and no path."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from benchmarks.case import store_binary

__all__ = ["describe_machine"]

_PACKAGES = ("anyio", "hiredis", "msgspec", "redis")


def describe_machine() -> dict[str, str]:
    """The machine, the versions that matter."""
    return {
        "processor": f"{os.cpu_count()} x {_processor()}",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "store": _first_line([str(store_binary()), "--version"]),
        "packages": ", ".join(f"{name} {version(name)}" for name in _PACKAGES),
        "commit": _first_line(["git", "describe", "--always", "--dirty"]),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _first_line(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.partition("\n")[0].strip()
