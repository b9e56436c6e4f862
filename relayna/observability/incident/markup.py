"""HTML in small pieces. Owns the only way by which a text becomes part of a page: escaped, and visible.

`Markup` is not a `str` to a type checker: what is no markup cannot be put where markup goes.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Final, NewType

from relayna.topologies.mermaid_labels import visible_text

__all__ = ["EMPTY", "Markup", "element", "joined", "text"]

Markup = NewType("Markup", str)

EMPTY: Final = Markup("")
_TEXT_LIMIT: Final = 600


def text(value: str, *, limit: int = _TEXT_LIMIT) -> Markup:
    """Any text, as text. Control, bidi and other invisible characters are left out; it is cut to `limit`.

    >>> text("<b>\\u202eA&B\\0")
    '&lt;b&gt;A&amp;B'
    """
    return Markup(html.escape(visible_text(value, limit=limit)))


def element(name: str, *children: Markup, **attributes: str | float | None) -> Markup:
    """An element. Of attributes, null ones are left out; `_` in their names is `-`, and nothing at their end.

    >>> element("a", text("x < y"), href="#n1", class_="box")
    '<a href="#n1" class="box">x &lt; y</a>'
    """
    told = "".join(
        f' {attribute.rstrip("_").replace("_", "-")}="{text(str(value), limit=len(str(value)) + 1)}"'
        for attribute, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{told}>{''.join(children)}</{name}>")


def joined(parts: Iterable[Markup], between: str = "") -> Markup:
    """One after the other."""
    return Markup(html.escape(between).join(parts))
