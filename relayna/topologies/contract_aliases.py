"""Other names for the fields of message bodies and for HTTP's parameters, as a user's contracts call them.

Owns which fields can have another name and what makes a choice of names wrong. Pure; renames nothing itself:
`consumer/messages/envelope_codec.py` and `api/aliases.py` do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field
from msgspec.structs import force_setattr

from relayna.errors import InvalidSetting

__all__ = ["ENVELOPE_FIELDS", "HTTP_PARAMETERS", "ContractAliasConfig"]

ENVELOPE_FIELDS: Final = (
    "task_id", "payload", "task_type", "correlation_id", "parent_task_id", "session_id", "meta",
    "status", "message", "timestamp", "stage", "message_id", "origin_stage", "batch_id", "tasks",
)  # fmt: skip
"""What message bodies are made of."""

HTTP_PARAMETERS: Final = ("task_id",)
"""Whose name in paths and query strings can be another."""

_PARAMETER_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class ContractAliasConfig(Struct, frozen=True, kw_only=True):
    """Other names, each for a field of relayna's. Raises `InvalidSetting` for names that could be mistaken.

    >>> ContractAliasConfig(field_aliases={"task_id": "job_id", "payload": "data"}).field_aliases["payload"]
    'data'
    """

    http_aliases: Mapping[str, str] = field(default_factory=dict)
    """By parameter: what it is called in paths and query strings."""
    field_aliases: Mapping[str, str] = field(default_factory=dict)
    """By field: what it is called in message bodies, and `task_id` in the JSON of graphs too."""

    def __post_init__(self) -> None:
        """Raises `InvalidSetting`."""
        _check("http_aliases", self.http_aliases, HTTP_PARAMETERS)
        _check("field_aliases", self.field_aliases, ENVELOPE_FIELDS)
        for alias in self.http_aliases.values():
            if not _PARAMETER_NAME.fullmatch(alias):
                raise _wrong("http_aliases", f"{alias!r} is no parameter's name: letters, digits and _ only")
        # Copies: what becomes of the user's dictionaries later changes nothing.
        force_setattr(self, "http_aliases", dict(self.http_aliases))
        force_setattr(self, "field_aliases", dict(self.field_aliases))


def _check(name: str, aliases: Mapping[str, str], known: tuple[str, ...]) -> None:
    if not isinstance(aliases, Mapping):
        raise _wrong(name, f"it must map fields to their other names, not be a {type(aliases).__name__}")
    field_of: dict[str, str] = {}
    for one, alias in aliases.items():
        if one not in known:
            raise _wrong(name, f"there is no {one!r}; other names can be given to {', '.join(known)}")
        _check_text(name, one, alias)
        if alias in field_of:
            raise _wrong(name, f"{field_of[alias]!r} and {one!r} are both called {alias!r}")
        field_of[alias] = one
    for alias, one in field_of.items():
        if alias != one and alias in known and alias not in aliases:
            raise _wrong(name, f"{one!r} is called {alias!r}, which is a field of its own")


def _check_text(name: str, one: str, alias: object) -> None:
    if not isinstance(alias, str):
        raise _wrong(name, f"{one!r} is called {alias!r}, which is no text")
    if not alias:
        raise _wrong(name, f"{one!r} is called nothing; leave it out to keep its name")
    try:
        alias.encode()
    except UnicodeEncodeError:
        raise _wrong(name, f"{alias!r} cannot be written as UTF-8") from None


def _wrong(name: str, problem: str) -> InvalidSetting:
    return InvalidSetting(name, "argument", problem)
