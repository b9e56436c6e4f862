"""Lists and sets that mostly stay empty: until something is in one it is the one empty tuple or frozenset that there is.

Of a long history there would be hundreds of thousands of empty ones, for the garbage collector to look at each time.
"""

from __future__ import annotations

from typing import TypeAlias, TypeVar

__all__ = ["Few", "FewDistinct", "with_one_more", "with_one_more_distinct"]

ItemT = TypeVar("ItemT")

Few: TypeAlias = list[ItemT] | tuple[()]
FewDistinct: TypeAlias = set[ItemT] | frozenset[ItemT]


def with_one_more(few: Few[ItemT], item: ItemT) -> list[ItemT]:
    """The list with the item at its end: the same list, if it is one already.

    >>> with_one_more(with_one_more((), 1), 2)
    [1, 2]
    """
    if not few:
        return [item]
    few.append(item)
    return few


def with_one_more_distinct(few: FewDistinct[ItemT], item: ItemT) -> set[ItemT]:
    """The set with the item in it: the same set, if it is one already."""
    if isinstance(few, frozenset):
        return {*few, item}
    few.add(item)
    return few
