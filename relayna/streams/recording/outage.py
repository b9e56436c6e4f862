"""Says once that the store is away, and once that it is back. Owns the words, on the recorder's logger."""

from __future__ import annotations

import logging
from typing import Final

__all__ = ["Outage"]

_logger: Final = logging.getLogger("relayna.recorder")


class Outage:
    """What is wrong with the store, as far as somebody was told."""

    def __init__(self, goes_on: str = "in memory") -> None:
        """`goes_on` says where recording does, meanwhile."""
        self._goes_on = goes_on
        self._told: int | None = None

    def began(self, problem: object, *, shut: bool = False) -> None:
        """The store did not take events; told the first time, and once more when it turns out to be `shut`.

        That is an ERROR: it refuses everything until somebody has helped it.
        """
        level = logging.ERROR if shut else logging.WARNING
        if self._told is not None and self._told >= level:
            return
        self._told = level
        remedy = " Nothing is stored until somebody mends that." if shut else ""
        _logger.log(level, "%s%s Recording goes on %s, and work goes on.", problem, remedy, self._goes_on)

    def ended(self) -> None:
        """The store takes events; told only after an outage that was told."""
        if self._told is not None:
            self._told = None
            _logger.warning("The store takes events again; what was held is being stored.")
