"""Query parameters: text, numbers and times out of a query string.

Owns how they are decoded and which text is none. Whether a value makes sense, the one who is asked says.
"""

from __future__ import annotations

import re
from typing import Final, Self, overload
from urllib.parse import parse_qs

from starlette.requests import Request

from relayna.errors import InvalidQuery

__all__ = ["QueryParameters"]

_BOOLEANS: Final = {"true": True, "false": False}
_WHOLE_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,9}")
_BARE_OFFSET: Final = re.compile(r"([T ]\d\d[\d:.,]*) (\d\d(?::?\d\d)?)\Z")


class QueryParameters:
    """The parameters of one request. Those that nobody asks for are not looked at."""

    def __init__(self, query_string: bytes) -> None:
        self._values: dict[str, list[str]] = {}
        if not query_string:
            return
        # Escapes keep what is not UTF-8 apart, where replacing it would make different values one.
        text = query_string.decode(errors="surrogateescape")
        self._values = parse_qs(text, keep_blank_values=True, errors="surrogateescape")

    @classmethod
    def of(cls, request: Request) -> Self:
        """The parameters of this request."""
        return cls(request.scope.get("query_string") or b"")

    @property
    def are_none(self) -> bool:
        """Whether nothing at all is given."""
        return not self._values

    def text(self, name: str) -> str | None:
        """The value, or `None` when it is not given. Raises `InvalidQuery` for two values and for no UTF-8."""
        values = self._values.get(name)
        if values is None:
            return None
        if len(values) > 1:
            raise InvalidQuery(name, f"is given {len(values)} times; give it once")
        try:
            values[0].encode()
        except UnicodeEncodeError:
            raise InvalidQuery(name, "is not UTF-8") from None
        return values[0]

    @overload
    def whole_number(self, name: str) -> int | None: ...

    @overload
    def whole_number(self, name: str, *, default: int) -> int: ...

    def whole_number(self, name: str, *, default: int | None = None) -> int | None:
        """The value as a number of at most nine digits. Raises `InvalidQuery`."""
        text = self.text(name)
        if text is None:
            return default
        # Not all that is stripped without an argument is a blank to int().
        if not _WHOLE_NUMBER.fullmatch(text.strip(" ")):
            raise InvalidQuery(name, f"{text[:80]!r} is no whole number of at most nine digits")
        return int(text)

    def boolean(self, name: str) -> bool | None:
        """The value, `true` or `false`, when it is given. Raises `InvalidQuery`."""
        text = self.text(name)
        if text is not None and text not in _BOOLEANS:
            raise InvalidQuery(name, f"{text[:80]!r} is neither true nor false")
        return None if text is None else _BOOLEANS[text]

    def time(self, name: str) -> str | None:
        """The value as text, mended where the `+` of its offset was not escaped. Raises `InvalidQuery`.

        A time as graphs print it has a `+`, which means a space in a query string.
        """
        text = self.text(name)
        return text if text is None else _BARE_OFFSET.sub(r"\1+\2", text)
