"""Says once that the store is away, and once that it is back. Owns the words, on the recorder's logger."""

from __future__ import annotations

import logging
from typing import Final

__all__ = ["Outage"]

_logger: Final = logging.getLogger("relayna.recorder")


class Outage:
    """Whether the store is away, as far as somebody was told."""

    def __init__(self) -> None:
        self._told = False

    def began(self, problem: object) -> None:
        """The store did not take events; told only the first time."""
        if not self._told:
            self._told = True
            _logger.warning("%s Recording goes on in memory, and work goes on.", problem)

    def ended(self) -> None:
        """The store takes events; told only after an outage that was told."""
        if self._told:
            self._told = False
            _logger.warning("The store takes events again; what was held is being stored.")
