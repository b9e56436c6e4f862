"""How many seconds each case may take, so that a whole run ends within 10 minutes and a quick one within 90 seconds.

Owns the numbers. A case that takes longer is told of in the report; its figures count all the same.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

__all__ = ["BUDGETS", "Budget"]


class Budget(Struct, frozen=True):
    """Seconds on a quiet machine."""

    whole: float
    quick: float

    def seconds(self, *, quick: bool) -> float:
        """Of a run of this kind."""
        return self.quick if quick else self.whole


BUDGETS: Final = {
    "codec": Budget(5, 1),
    "record": Budget(12, 4),
    "append": Budget(40, 8),
    "cluster": Budget(30, 6),
    "fold": Budget(80, 12),
    "lineage": Budget(30, 4),
    "read_path": Budget(70, 10),
    "consumer": Budget(30, 5),
    "rabbitmq": Budget(45, 8),
    "outage": Budget(30, 5),
    "trace": Budget(20, 4),
    "imports": Budget(10, 3),
    "live": Budget(30, 6),
    "capacity": Budget(10, 4),
    "scale": Budget(130, 6),
    "memory": Budget(15, 3),
}
"""By the case's name."""
