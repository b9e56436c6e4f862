"""Long ids made short for people, and never so short that two of an answer look the same. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

__all__ = ["ShortIds"]

_LONG: Final = 20
_FEWEST: Final = 4


class ShortIds:
    """Both ends of each of these ids that is long, as much of them as tells it from all others."""

    def __init__(self, ids: Iterable[str], *, longest: int = _LONG) -> None:
        """Ids of up to `longest` characters stay whole."""
        self._short: dict[str, str] = {}
        left = set(ids)
        ends = _FEWEST
        while left:
            short = {one: _ends_of(one, ends, longest) for one in left}
            counts = Counter([*short.values(), *self._short.values()])
            clear = {one for one in left if counts[short[one]] == 1 or short[one] == one}
            self._short.update((one, short[one]) for one in clear)
            left -= clear
            ends += 1

    def of(self, run_id: str) -> str:
        """The id as it is written here; one that was not named stays whole."""
        return self._short.get(run_id, run_id)


def _ends_of(one: str, ends: int, longest: int) -> str:
    return one if len(one) <= max(longest, 2 * ends + 1) else f"{one[:ends]}…{one[-ends:]}"
