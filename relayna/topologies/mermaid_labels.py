"""Any text, made fit to be shown: by a terminal, or as a label of a Mermaid flowchart.

Owns what is dropped and what is encoded. The rules for Mermaid were found by reading its version 11:
it rewrites the source with regular expressions before it parses it, so quotes alone protect nothing.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

__all__ = ["LABEL_LIMIT", "mermaid_label", "visible_text"]

LABEL_LIMIT: Final = 200
"""Characters of a label that are shown."""

_BREAK: Final = re.compile("\r\n|[\n\r\v\f\x85\u2028\u2029]")
_INVISIBLE: Final = ("Cc", "Cf")  # controls; bidi marks, joiners and other format characters
_ENCODED: Final = re.compile(
    r"""
    [#"<>&|%\\`\n]    # end a quoted string, open a tag or an entity, or mean a comment or a directive
    | [ﬂ¶]            # Mermaid's own stand-ins for entities while it parses: U+FB02 and U+00B6
    | style|classDef  # Mermaid cuts the last `;` of a line that holds one of these, `:` and `#`
    | direction(?=\s) # with TB, LR and so on behind it, Mermaid's lexer takes the whole line for a statement
    """,
    re.VERBOSE,
)
_NAMED: Final = {'"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "\n": "<br/>"}


def visible_text(text: str, *, limit: int = LABEL_LIMIT) -> str:
    r"""The text without control, bidi and other invisible characters, cut to `limit` characters.

    Line breaks of all kinds become `\n`, tabs become spaces, lone surrogates U+FFFD.

    >>> visible_text("two\r\nlines\x1b[31m")
    'two\nlines[31m'
    """
    if not (text.isascii() and text.isprintable()):
        text = _BREAK.sub("\n", text).replace("\t", " ")
        text = "".join(map(_shown, text))
    text = text.strip()
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def mermaid_label(*lines: str) -> str:
    """The lines as one quoted label, each cut to `LABEL_LIMIT`; never empty, which Mermaid refuses.

    >>> mermaid_label('a "b"', "#1")
    '"a #quot;b#quot;<br/>#35;1"'
    """
    shown = "\n".join(line for line in map(visible_text, lines) if line)
    return f'"{_ENCODED.sub(_encode, shown or "(no text)")}"'


def _shown(character: str) -> str:
    if character == "\n":
        return character
    category = unicodedata.category(character)
    if category == "Cs":
        return "\ufffd"
    code = ord(character)
    is_noncharacter = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    return "" if category in _INVISIBLE or is_noncharacter else character


def _encode(match: re.Match[str]) -> str:
    found = match[0]
    return _NAMED.get(found) or f"#{ord(found[0])};{found[1:]}"
