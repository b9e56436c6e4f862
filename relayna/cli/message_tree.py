"""Messages as a tree: each once, below the message that it came from.

Owns what is drawn below what, and the lines that lead there. How rows are written is in `message_output.py`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from relayna.observability.message_told import ChainTold, MessageTold

__all__ = ["message_lines"]

_DEEPEST: Final = 36
"""Columns of guides; below, messages stand beside their parent."""


def message_lines(chain: ChainTold) -> Iterator[tuple[str, MessageTold]]:
    """The chain's messages from the root down, each with the lines that lead to it; children in their order."""
    every = {one.id: one for one in (*reversed(chain.ancestors), chain.message, *chain.descendants)}
    below: dict[str, list[MessageTold]] = {}
    for one in every.values():
        if one.parent_id is not None:
            below.setdefault(one.parent_id, []).append(one)
    roots = [one for one in every.values() if one.parent_id not in every]
    drawn: set[str] = set()
    for root in (*roots, *every.values()):  # in a circle there is no root
        if root.id not in drawn:
            yield from _from(root, below, drawn)


def _from(
    root: MessageTold, below: dict[str, list[MessageTold]], drawn: set[str]
) -> Iterator[tuple[str, MessageTold]]:
    stack = [(root, "", "")]
    while stack:
        message, own, guides = stack.pop()
        if message.id in drawn:
            continue
        drawn.add(message.id)
        yield own, message
        children = below.get(message.id, [])
        for number, child in reversed(list(enumerate(children, 1))):
            ends = number == len(children)
            deeper = guides if len(guides) >= _DEEPEST else guides + ("   " if ends else "│  ")
            stack.append((child, f"{guides}{'└─' if ends else '├─'} ", deeper))
