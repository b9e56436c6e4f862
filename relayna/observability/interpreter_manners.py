"""How the interpreter behaves while large graphs are made, so that everything else in the process has its turn.

Full garbage collections are put off: one walks all that is alive, and nothing else runs meanwhile; with a
large graph half made that is 100 ms and more, again and again, and what a fold leaves behind is freed without
it. And threads take short turns: at Python's 5 ms each, an event loop that waits at every step for a thread
that folds answers slowly. Owns both settings, and that they come back.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["InterpreterManners"]

_NEVER: Final = 1_000_000
_MOST_IN_A_ROW: Final = 64
_SHORT_TURN_SECONDS: Final = 0.0005


class InterpreterManners:
    """Those of this process; one of these is enough for it. Young objects are collected as ever."""

    def __init__(self) -> None:
        self._minding = 0
        self._in_a_row = 0
        self._thresholds = gc.get_threshold()
        self._turn_seconds = sys.getswitchinterval()

    @contextmanager
    def minded(self) -> Iterator[None]:
        """Mind them while the context lasts. Several may be in it; when there always are, all is collected in between."""
        if self._minding == 0:
            self._begin()
        self._minding += 1
        try:
            yield
        finally:
            self._minding -= 1
            self._in_a_row += 1
            if self._minding == 0:
                gc.set_threshold(*self._thresholds)
                sys.setswitchinterval(self._turn_seconds)
            elif self._in_a_row >= _MOST_IN_A_ROW:
                self._in_a_row = 0
                gc.collect()

    def _begin(self) -> None:
        self._in_a_row = 0
        self._thresholds = gc.get_threshold()
        self._turn_seconds = sys.getswitchinterval()
        young, middle, _ = self._thresholds
        gc.set_threshold(young, middle, _NEVER)
        sys.setswitchinterval(min(_SHORT_TURN_SECONDS, self._turn_seconds))
