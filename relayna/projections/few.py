"""Lists that mostly stay empty. Until something is in one it is the empty tuple, which takes no memory.

Of a long history there would be hundreds of thousands of empty lists for the garbage collector to look at.
"""

from __future__ import annotations

from typing import TypeAlias, TypeVar

__all__ = ["Few", "with_one_more"]

ItemT = TypeVar("ItemT")

Few: TypeAlias = list[ItemT] | tuple[()]


def with_one_more(few: Few[ItemT], item: ItemT) -> list[ItemT]:
    """The list with the item at its end: the same list, if it is one already.

    >>> with_one_more(with_one_more((), 1), 2)
    [1, 2]
    """
    if not few:
        return [item]
    few.append(item)
    return few
