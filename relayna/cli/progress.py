"""How long work says how far it is: on a terminal's stderr, and nowhere else."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Final, Self

import click

__all__ = ["Progress"]

_STEP: Final = 100


class Progress:
    """Counts things that are done; `async` or not, it is used as a context that ends its line."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._count = 0
        self._shown = sys.stderr.isatty()

    def __enter__(self) -> Self:
        """Nothing is shown until something is done."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Clear the line."""
        if self._shown and self._count:
            click.echo("\r\033[K", nl=False, err=True)

    def step(self) -> None:
        """One more is done."""
        self._count += 1
        if self._shown and self._count % _STEP == 0:
            click.echo(f"\r{self._count} {self._what}", nl=False, err=True)
