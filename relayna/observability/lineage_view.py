"""How a graph of runs is to be shown: many children alike as one, and what is laid over it.

Owns the words of that question. What is made of it `lineage_told.py` knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias, get_args

from msgspec import Struct

from relayna.errors import InvalidQuery

__all__ = ["PLAIN_VIEW", "SIBLINGS", "LineageView", "Siblings", "checked_view"]

Siblings: TypeAlias = Literal["all", "grouped"]
SIBLINGS: Final[tuple[Siblings, ...]] = get_args(Siblings)

_GROUP_ID: Final = re.compile(r"g[0-9a-f]{10}")


class LineageView(Struct, frozen=True, kw_only=True):
    """What is shown."""

    grouped: bool = False
    """Whether five or more children alike stand as one group."""
    expand: frozenset[str] = frozenset()
    """Groups whose runs are shown all the same, by the ids that an answer gave them."""
    overlays: bool = False
    """Whether decisions and costs are told run by run."""


PLAIN_VIEW: Final = LineageView()
"""Every run and edge by itself, and nothing more."""


def checked_view(
    *, siblings: str | None = None, expand: Iterable[str] = (), overlays: bool = False
) -> LineageView:
    """The view of these words. Raises `InvalidQuery`."""
    if siblings is not None and siblings not in SIBLINGS:
        raise InvalidQuery("siblings", f"{siblings[:80]!r} is none of {', '.join(SIBLINGS)}")
    expand = frozenset(expand)
    for name in sorted(expand):
        if not _GROUP_ID.fullmatch(name):
            raise InvalidQuery(
                "expand", f"{name[:80]!r} is no group's id; an answer has them as group_id, as g0123456789"
            )
    return LineageView(grouped=siblings == "grouped", expand=expand, overlays=overlays)
