"""What a forked child does first: it begins anew with what it may not share with its parent.

Owns how that is asked for, without keeping alive who asks. What is begun anew is theirs.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable

__all__ = ["after_fork"]


def after_fork(begin: Callable[[], None]) -> None:
    """Call this bound method in every forked child, as long as its object lives."""
    method = weakref.WeakMethod(begin)

    def begin_in_child() -> None:
        if (still_there := method()) is not None:
            still_there()

    if hasattr(os, "register_at_fork"):  # not on Windows
        os.register_at_fork(after_in_child=begin_in_child)
