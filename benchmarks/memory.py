"""How much memory a case takes: of this process, and of the store that it fills.

Owns reading both. Of the process it is what was resident at the most beyond what was when the case began; of the
store what it had allocated at the most beyond what an empty one has.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import redis

__all__ = ["ProcessMemory", "store_growth"]

_PROCESS: Final = Path("/proc/self")
_FORGET_THE_PEAK: Final = "5"


class ProcessMemory:
    """Counts from its making on. Linux only; elsewhere nothing is known."""

    def __init__(self) -> None:
        self._before: float | None = None
        try:
            (_PROCESS / "clear_refs").write_text(_FORGET_THE_PEAK)
            self._before = _megabytes("VmRSS")
        except OSError:
            return

    def growth(self) -> float | None:
        """MB, at the most, so far."""
        return None if self._before is None else max(0.0, _megabytes("VmHWM") - self._before)


def store_growth(url: str) -> float:
    """MB that this store has allocated at the most since it was started."""
    with redis.Redis.from_url(url) as client:
        told = client.info("memory")
    return float(told["used_memory_peak"] - told["used_memory_startup"]) / 1e6


def _megabytes(name: str) -> float:
    lines = (_PROCESS / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) * 1024 / 1e6
