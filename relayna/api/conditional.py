"""Conditional requests: what a client has already is not sent again (RFC 9110, sections 8.8.3 and 13.1.2).

Owns how `If-None-Match` is read and what a 304 carries. Which tag a representation has its endpoint says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

__all__ = ["KnownTags", "known_tags", "not_modified", "quoted"]

_TAG: Final = re.compile(r'[\s,]*(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*(?=,|$)')
_MOST_TAGS: Final = 16
"""Each is looked up, so one request must not bring hundreds."""


class KnownTags(Struct, frozen=True):
    """The representations that the client has, by tag without quotes, whether weak or strong."""

    tags: tuple[str, ...] = ()
    any_will_do: bool = False
    """`*`: whichever there is."""

    def include(self, tag: str) -> bool:
        """Whether the client has this one; weak comparison."""
        return self.any_will_do or tag in self.tags


def known_tags(request: Request) -> KnownTags:
    """What `If-None-Match` says. A header that cannot be read says nothing, from where on it cannot.

    >>> scope = {"type": "http", "headers": [(b"if-none-match", b'"a,b", W/"c"')]}
    >>> known_tags(Request(scope)).tags
    ('a,b', 'c')
    """
    header = ", ".join(request.headers.getlist("if-none-match")).strip()
    if header == "*":
        return KnownTags(any_will_do=True)
    tags: list[str] = []
    found = _TAG.match(header)
    while found is not None and len(tags) < _MOST_TAGS:
        tags.append(found[1])
        found = _TAG.match(header, found.end())
    return KnownTags(tuple(tags))


def quoted(tag: str) -> str:
    """A strong entity tag, as `ETag` has it."""
    return f'"{tag}"'


def not_modified(tag: str, headers: Mapping[str, str]) -> Response:
    """304: use what you have. `headers` are those that say how the answer may be kept and chosen."""
    return Response(status_code=304, headers={**headers, "ETag": quoted(tag)})
