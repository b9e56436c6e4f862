"""How commands write tables: into the width that there is, each cell on its line and without control characters.

Owns their looks. Cells may be somebody else's text.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Collection, Sequence
from typing import Final

import click
import msgspec

from relayna.instants import Instant, format_instant
from relayna.observability.wording import duration_words

__all__ = ["duration_cell", "printed", "table_width", "time_cell", "write_json", "write_table"]

_WIDTH: Final = 80
_GAP: Final = "  "
_NARROWEST: Final = 8


def write_table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], *, elastic: Collection[int] = ()
) -> None:
    """Nothing without rows. Of columns that are too wide together, those named in `elastic` give way."""
    if not rows:
        return
    cells = [list(heads), *([printed(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    _squeeze(widths, elastic)
    for row in cells:
        line = _GAP.join(_cut(cell, width).ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())


def write_json(value: object) -> None:
    """One line on stdout."""
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")


def time_cell(at: Instant | None) -> str:
    """UTC, to the second."""
    return "-" if at is None else format_instant(at)[:19].replace("T", " ")


def duration_cell(milliseconds: float | None) -> str:
    """As people say it."""
    return "-" if milliseconds is None else duration_words(milliseconds)


def table_width() -> int:
    """That of the terminal, or what COLUMNS says; never less than 80, which it is in a pipe."""
    return max(_WIDTH, shutil.get_terminal_size((_WIDTH, 24)).columns)


def _squeeze(widths: list[int], elastic: Collection[int]) -> None:
    room = table_width()
    while sum(widths) + len(_GAP) * (len(widths) - 1) > room:
        widest = max(elastic, key=lambda column: widths[column], default=None)
        if widest is None or widths[widest] <= _NARROWEST:
            return
        widths[widest] -= 1


def _cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else f"{cell[: width - 1]}…"


def printed(text: str) -> str:
    """The text without what a terminal would act on."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
