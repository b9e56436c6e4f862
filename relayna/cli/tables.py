"""How commands write tables: into the width that there is, each cell on its line and without control characters.

Owns their looks. Cells may be somebody else's text.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Collection, Sequence
from typing import Final, TypeAlias

import click
import msgspec

from relayna.instants import Instant, format_instant
from relayna.observability.wording import duration_words

__all__ = [
    "UNBOUND", "Paint", "duration_cell", "line_width", "printed", "table_width", "time_cell", "write_json", "write_table",
]  # fmt: skip

Paint: TypeAlias = Callable[[int | None, str], str]

UNBOUND: Final = 10_000
"""The width of lines that nobody reads on a terminal."""
_WIDTH: Final = 80
_GAP: Final = "  "
_NARROWEST: Final = 8


def write_table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    elastic: Collection[int] = (),
    right: Collection[int] = (),
    paint: Paint | None = None,
    room: int | None = None,
) -> None:
    """Nothing without rows. Of columns that are too wide together, those named in `elastic` give way.

    Columns in `right` end at the same place. `paint` gets a column's number and a cell, None for the heads' row, and
    gives the cell with colours. `room` is the width that there is, else that of the terminal.
    """
    if not rows:
        return
    cells = [list(heads), *([printed(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    _squeeze(widths, elastic, room or table_width())
    for number, row in enumerate(cells):
        placed = [_placed(cell, widths[at], at_right=at in right) for at, cell in enumerate(row)]
        line = _GAP.join(placed).rstrip()
        if paint is not None:
            line = _painted(line, widths, paint, is_head=number == 0)
        click.echo(line)


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


def line_width() -> int:
    """As `table_width`; in a pipe without COLUMNS, `UNBOUND`: it takes lines as long as they are."""
    columns = shutil.get_terminal_size((0, 24)).columns
    return max(columns, _WIDTH) if columns or sys.stdout.isatty() else UNBOUND


def _placed(cell: str, width: int, *, at_right: bool) -> str:
    cut = _cut(cell, width)
    return cut.rjust(width) if at_right else cut.ljust(width)


def _painted(line: str, widths: Sequence[int], paint: Paint, *, is_head: bool) -> str:
    """The line, each cell of it painted where it stands."""
    cells, start = [], 0
    for at, width in enumerate(widths):
        cell = line[start : start + width]
        cells.append(paint(None if is_head else at, cell) if cell.strip() else cell)
        cells.append(line[start + width : start + width + len(_GAP)])
        start += width + len(_GAP)
    return "".join(cells)


def _squeeze(widths: list[int], elastic: Collection[int], room: int) -> None:
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
