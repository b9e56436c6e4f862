"""Colours of lineage on a terminal that wants them: how runs stand, what guards decided, and lines that only lead.

Owns which word has which colour. Nothing is said by colour alone.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Mapping
from typing import Final

import click

from relayna.cli.tables import Paint
from relayna.settings import wants_colour

__all__ = ["has_colours", "paint_counts", "paint_lineage"]

_OF_STATUSES: Final = {
    "completed": "green",
    "failed": "red",
    "dead_lettered": "red",
    "running": "yellow",
    "retrying": "yellow",
    "queued": "cyan",
    "cancelled": "magenta",
}
_OF_ACTIONS: Final = {
    "block": "red",
    "throttle": "red",
    "redact": "yellow",
    "retry": "yellow",
    "warn": "yellow",
}
_WORD: Final = re.compile(r"[a-z_]+")
_GUIDES: Final = re.compile(r"[│├└─ ]+")


def has_colours() -> bool:
    """Whether stdout is a terminal whose user wants colours."""
    return sys.stdout.isatty() and wants_colour()


def paint_counts(colours: Mapping[int, str]) -> Paint | None:
    """Paints what is not 0 in the columns of these numbers, and heads; None where nobody wants colours."""
    if not has_colours():
        return None

    def paint(column: int | None, cell: str) -> str:
        if column is None:
            return click.style(cell, dim=True)
        return click.style(cell, fg=colours[column]) if column in colours and cell.strip() != "0" else cell

    return paint


def paint_lineage(
    *, status: int | Collection[int], tree: int | None = None, decided: int | None = None
) -> Paint | None:
    """Paints the columns of these numbers, and heads; None where nobody wants colours."""
    if not has_colours():
        return None
    statuses = (status,) if isinstance(status, int) else status

    def paint(column: int | None, cell: str) -> str:
        if column is None:
            return click.style(cell, dim=True)
        if column in statuses:
            return _words(cell, _OF_STATUSES)
        if column == decided:
            return _words(cell, _OF_ACTIONS)
        if column == tree:
            guides = _GUIDES.match(cell)
            end = 0 if guides is None else guides.end()
            return f"{click.style(cell[:end], dim=True)}{cell[end:]}" if end else cell
        return cell

    return paint


def _words(cell: str, colours: dict[str, str]) -> str:
    return _WORD.sub(lambda word: click.style(word[0], fg=colours.get(word[0])), cell)
