"""Which children a process has already registered with their parents. Owns the memory and its bound."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from relayna.ids import TaskId

__all__ = ["KnownChildren"]

_MOST: Final = 10_000
"""Past it the one not seen for longest is forgotten. It may be registered again, under the same id."""


class KnownChildren:
    """The last children seen. Safe to use from any thread."""

    def __init__(self, *, most: int = _MOST) -> None:
        self._most = most
        self._lock = threading.RLock()
        self._seen: OrderedDict[tuple[TaskId, TaskId], None] = OrderedDict()

    def is_new(self, parent: TaskId, child: TaskId) -> bool:
        """Whether this is the first that is heard of the child; from now on it is known."""
        pair = (parent, child)
        try:
            self._seen.move_to_end(
                pair
            )  # one step of the interpreter: what nearly every call does needs no lock
        except KeyError:
            return self._remember(pair)
        return False

    def _remember(self, pair: tuple[TaskId, TaskId]) -> bool:
        with self._lock:
            is_new = pair not in self._seen  # another thread may have come first
            self._seen[pair] = None
            if len(self._seen) > self._most:
                self._seen.popitem(last=False)
            return is_new
