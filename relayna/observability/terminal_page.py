"""Lines on a console that hold whatever users wrote, and never do what it says.

Owns wrapping, signs, colours and the plain letters for consoles without Unicode. Control characters
are dropped from everything that passes: an escape sequence in a label is an attack on the reader.
Needs `rich`, the extra `relayna[cli]`, which is imported only here and only when a page is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from relayna.errors import ConfigurationError
from relayna.topologies.mermaid_labels import visible_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["SIGNS", "Segment", "TerminalPage", "one_line"]

_STYLES: Final = {
    "queued": "dim",
    "running": "cyan",
    "retrying": "yellow",
    "succeeded": "green",
    "failed": "bold red",
    "dead_lettered": "bold red",
    "replayed": "magenta",
    "abandoned": "red",
}
"""Colours only repeat what a sign and a word say."""

SIGNS: Final = {
    "queued": "○",
    "running": "▸",
    "retrying": "↻",
    "succeeded": "✓",
    "failed": "✗",
    "dead_lettered": "✗",
    "replayed": "↺",
    "abandoned": "!",
    "unknown": "?",
}
"""By state; what has no state has a dot."""

_PLAIN: Final = str.maketrans(
    {"○": "o", "▸": ">", "↻": "~", "✓": "+", "✗": "x", "↺": "<", "·": "-", "…": "~", "●": "*", "├": "|", "└": "`",
     "─": "-", "│": "|"}
)  # fmt: skip
_NARROWEST: Final = 20

Segment: TypeAlias = tuple[str, str]
"""Text and its style."""


def one_line(text: str) -> str:
    """The text without line breaks and invisible characters, cut to a label's length."""
    return " ".join(visible_text(text).split("\n"))


class TerminalPage:
    """Writes on a `rich` console. Raises `ConfigurationError` without `rich`."""

    def __init__(self, console: Console) -> None:
        try:
            from rich.text import Text
        except ImportError:
            raise ConfigurationError(
                "Drawing on a terminal needs `rich`. Install relayna with its extra `cli`."
            ) from None
        self._text = Text
        self._console = console
        self._is_plain = console.options.ascii_only

    def sign(self, state: str | None) -> Segment:
        """A state's sign and colour; a dot for what has no state."""
        return SIGNS.get(state or "", "·"), _STYLES.get(state or "", "")

    def line(self, *segments: Segment, first: Segment = ("", ""), rest: str = "") -> None:
        """One line of (text, style) parts after the prefix `first`; what wraps goes after `rest`."""
        content = self.text(*segments)
        width = max(_NARROWEST, self._console.width - max(len(first[0]), len(rest)))
        for number, part in enumerate(content.wrap(self._console, width) or [content]):
            part.rstrip()
            prefix = self.text(first) if number == 0 else self.text((rest, first[1]))
            self._console.print(prefix + part, soft_wrap=True, highlight=False)

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[Segment]], *, texts: int = 1) -> None:
        """Columns under their heads: the first `texts` are text and give way, the others are numbers and do not."""
        from rich.table import Table

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for number, head in enumerate(heads):
            is_text = number < texts
            table.add_column(
                self.text((head, "")), justify="left" if is_text else "right", no_wrap=True,
                overflow="ellipsis", min_width=None if is_text else len(head),
            )  # fmt: skip
        for row in rows:
            table.add_row(*(self.text(segment) for segment in row))
        self._console.print(table, highlight=False)

    @property
    def width(self) -> int:
        """Columns that there are."""
        return self._console.width

    def text(self, *segments: Segment) -> Text:
        """Parts as one text, in letters that the console has."""
        text = self._text()
        for content, style in segments:
            text.append(self._letters(content), style)
        return text

    def _letters(self, content: str) -> str:
        if not content.isprintable():
            content = " ".join(visible_text(content, limit=len(content)).split("\n"))
        if not self._is_plain:
            return content
        encoding = self._console.encoding
        return content.translate(_PLAIN).encode(encoding, "replace").decode(encoding)
