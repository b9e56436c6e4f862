"""Where the boxes of a drawing stand: what led to something on its left, and each on a row of its own.

Owns columns, rows, and which boxes are drawn when there are too many. Draws nothing. Linear, without recursion.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

__all__ = ["BOX_LIMIT", "Layout", "Place", "lay_out"]

BOX_LIMIT: Final = 200
"""Nobody reads more of them in one drawing."""


class Place(Struct, frozen=True):
    """A box's column and row, from 0."""

    column: int
    row: int


class Layout(Struct, frozen=True, kw_only=True):
    """Places by key, and how large all of it is."""

    places: dict[str, Place]
    columns: int
    rows: int


def lay_out(keys: Iterable[str], above: Mapping[str, str], *, first: Iterable[str]) -> Layout:
    """Place `BOX_LIMIT` boxes, those of `first` before the others. `above` is what each hangs on.

    The longest chain that begins in a box goes on in its row; what else hangs on it comes below.
    """
    ordered = list(keys)
    known = set(ordered)
    chosen = set(list(dict.fromkeys([*(key for key in first if key in known), *ordered]))[:BOX_LIMIT])
    below: dict[str, list[str]] = {key: [] for key in ordered if key in chosen}
    tops: list[str] = []
    for key in below:
        below.get(above.get(key, ""), tops).append(key)
    reach = _reaches(below)
    placed = _placed(tops, below, reach)
    left = [key for key in below if key not in placed]  # they stand in a circle
    for row, key in enumerate(left, max((place.row for place in placed.values()), default=-1) + 1):
        placed[key] = Place(0, row)
    return Layout(
        places=placed,
        columns=max((place.column for place in placed.values()), default=-1) + 1,
        rows=max((place.row for place in placed.values()), default=-1) + 1,
    )


def _reaches(below: Mapping[str, list[str]]) -> dict[str, int]:
    """How many boxes the longest chain from each has."""
    reach: dict[str, int] = dict.fromkeys(below, 1)
    waits = {key: len(under) for key, under in below.items()}
    above = {under: key for key, unders in below.items() for under in unders}
    ready = [key for key, count in waits.items() if not count]
    while ready:
        parent = above.get(key := ready.pop())
        if parent is None:
            continue
        reach[parent] = max(reach[parent], reach[key] + 1)
        waits[parent] -= 1
        if not waits[parent]:
            ready.append(parent)
    return reach


def _placed(
    tops: Iterable[str], below: Mapping[str, list[str]], reach: Mapping[str, int]
) -> dict[str, Place]:
    placed: dict[str, Place] = {}
    free: dict[int, int] = {}  # by column, the first row below all that stands there
    stack = [(key, 0, 0) for key in reversed(list(tops))]
    while stack:
        key, column, lowest = stack.pop()
        chain, branches = _chain(key, below, reach)
        row = max(lowest, *(free.get(column + step, 0) for step in range(len(chain))))
        for step, one in enumerate(chain):
            placed[one] = Place(column + step, row)
            free[column + step] = row + 1
        # The last of a chain has its branches placed first: those before it have their rows left of them.
        for step, under in enumerate(branches):
            stack += [(one, column + step + 1, row + 1) for one in reversed(under)]
    return placed


def _chain(
    key: str, below: Mapping[str, list[str]], reach: Mapping[str, int]
) -> tuple[list[str], list[list[str]]]:
    """The longest chain from here, and of each in it what else hangs on it."""
    chain, branches = [key], []
    while under := sorted(below[chain[-1]], key=lambda one: -reach[one]):
        chain.append(under[0])
        branches.append(under[1:])
    return chain, branches
