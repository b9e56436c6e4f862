"""Windows of time as people write them: `90s`, `30m`, `24h`, `7d`, `2w`. Owns the grammar. Asks no clock."""

from __future__ import annotations

import re
from typing import Final

from relayna.errors import InvalidQuery

__all__ = ["LONGEST_WINDOW_DAYS", "WINDOW_PATTERN", "window_seconds"]

LONGEST_WINDOW_DAYS: Final = 366
WINDOW_PATTERN: Final = r"^[1-9][0-9]{0,8}[smhdw]$"

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def window_seconds(text: str) -> int:
    """How long the window is. Raises `InvalidQuery`.

    >>> window_seconds("24h"), window_seconds("2w")
    (86400, 1209600)
    """
    if not re.fullmatch(WINDOW_PATTERN, text):
        raise InvalidQuery("window", f"{text[:80]!r} is no window of time; write it as in 30m, 24h or 7d")
    seconds = int(text[:-1]) * _UNITS[text[-1]]
    if seconds > LONGEST_WINDOW_DAYS * _UNITS["d"]:
        raise InvalidQuery("window", f"{text!r} is longer than {LONGEST_WINDOW_DAYS}d")
    return seconds
