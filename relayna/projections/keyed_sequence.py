"""Sequences of items that have keys: what makes one out of another, in order and to the byte. Pure.

Owns what has moved and what has stayed, and that applying a difference is exact. Knows nothing of graphs.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

import msgspec

from relayna.errors import RelaynaError

__all__ = ["PatchDoesNotFit", "differences", "patched", "same_json"]

KeyT = TypeVar("KeyT", bound=Hashable)
ItemT = TypeVar("ItemT")

_encode: Final = msgspec.json.Encoder().encode


class PatchDoesNotFit(RelaynaError):
    """The patch was made for another graph than this one."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"The patch does not fit the graph: {problem}. Apply patches in order, each to its base."
        )


def differences(old: Mapping[KeyT, ItemT], new: Mapping[KeyT, ItemT]) -> list[tuple[KeyT, ItemT, int | None]]:
    """What is new, has moved or has changed, in the new order; without a place when it only has changed."""
    staying = _staying(old, new)
    found: list[tuple[KeyT, ItemT, int | None]] = []
    for index, (key, item) in enumerate(new.items()):
        if key not in staying:
            found.append((key, item, index))
        elif not same_json(old[key], item):
            found.append((key, item, None))
    return found


def _staying(old: Mapping[KeyT, ItemT], new: Mapping[KeyT, ItemT]) -> set[KeyT]:
    """As many as can be of those in both whose order among themselves is the same."""
    places = {key: place for place, key in enumerate(old)}
    both = [key for key in new if key in places]
    where = [places[key] for key in both]
    if all(one < other for one, other in itertools.pairwise(where)):
        return set(both)
    return {both[at] for at in _longest_ascent(where)}


def _longest_ascent(numbers: Sequence[int]) -> list[int]:
    """Where the numbers of a longest ascending subsequence stand (patience sorting)."""
    tops: list[int] = []
    standing: list[int] = []
    before: list[int | None] = []
    for at, number in enumerate(numbers):
        pile = bisect_left(tops, number)
        before.append(standing[pile - 1] if pile else None)
        tops[pile : pile + 1] = [number]
        standing[pile : pile + 1] = [at]
    ascent: list[int] = []
    last = standing[-1] if standing else None
    while last is not None:
        ascent.append(last)
        last = before[last]
    return ascent


def same_json(old: object, new: object) -> bool:
    """Whether both are the same bytes as JSON."""
    # 1, 1.0 and true are equal to Python, and so are objects in another order.
    return old is new or _encode(old) == _encode(new)


def patched(
    old: Mapping[KeyT, ItemT],
    removed: Iterable[KeyT],
    changes: Iterable[tuple[KeyT, ItemT, int | None]],
) -> list[ItemT]:
    """The items without the removed ones and with the changes. Raises `PatchDoesNotFit`."""
    kept = dict(old)
    for key in removed:
        if key not in kept:
            raise PatchDoesNotFit(f"{key!r} is to be removed and is not there")
        del kept[key]
    placed: dict[int, ItemT] = {}
    for key, item, index in changes:
        if index is not None:
            kept.pop(key, None)
            placed[index] = item
        elif key in kept:
            kept[key] = item
        else:
            raise PatchDoesNotFit(f"{key!r} is to be changed and is not there")
    count = len(kept) + len(placed)
    if any(not 0 <= index < count for index in placed):
        raise PatchDoesNotFit(f"of {count} places, one beyond is to be taken")
    rest = iter(kept.values())
    return [placed[index] if index in placed else next(rest) for index in range(count)]
