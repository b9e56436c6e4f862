"""Checks that the fields of every topology go through.

Owns the sentences that say what is wrong. Knows no variant.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from relayna.errors import InvalidTopology
from relayna.topologies.naming import LONGEST_NAME_BYTES, LONGEST_QUEUE_NAME_BYTES

__all__ = [
    "as_tuple",
    "check_count",
    "check_distinct",
    "check_items",
    "check_name",
    "check_queue_name",
    "check_routing_key",
]

ItemT = TypeVar("ItemT")


def check_name(field: str, value: object, *, longest: int = LONGEST_NAME_BYTES) -> None:
    """Refuse what AMQP cannot carry as a name or key. Raises `InvalidTopology`."""
    if not isinstance(value, str):
        raise InvalidTopology(field, f"it must be text, not {type(value).__name__}")
    if not value:
        raise InvalidTopology(field, "it is empty. Give it a name")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise InvalidTopology(field, f"{value!r} cannot be written as UTF-8") from None
    if size > longest:
        raise InvalidTopology(field, f"{value[:40]!r}… is {size} bytes long; at most {longest} fit")


def check_queue_name(field: str, value: object) -> None:
    """A name short enough that the names derived from it fit too. Raises `InvalidTopology`."""
    check_name(field, value, longest=LONGEST_QUEUE_NAME_BYTES)
    if str(value).startswith("amq."):
        raise InvalidTopology(field, f"{value!r} begins with 'amq.', which the broker keeps for itself")


def check_routing_key(field: str, value: object, *, longest: int = LONGEST_NAME_BYTES) -> None:
    """A key that messages are published with, so no pattern. Raises `InvalidTopology`."""
    check_name(field, value, longest=longest)
    if {"*", "#"} & set(str(value).split(".")):
        raise InvalidTopology(
            field, f"{value!r} is published with, so it must not hold the wildcards * and #"
        )


def check_count(field: str, value: object, *, least: int, most: int) -> None:
    """A whole number in its range. Raises `InvalidTopology`."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidTopology(field, f"it must be a whole number, not {type(value).__name__}")
    if not least <= value <= most:
        raise InvalidTopology(field, f"{value} is not between {least} and {most}")


def check_distinct(field: str, what: str, values: Iterable[str]) -> None:
    """The same name must not stand for two things. Raises `InvalidTopology`."""
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise InvalidTopology(field, f"the {what} {value!r} is there twice; each needs a name of its own")
        seen.add(value)


def check_items(field: str, values: Iterable[object], kind: type) -> None:
    """Everything listed is of one kind. Raises `InvalidTopology`."""
    for value in values:
        if not isinstance(value, kind):
            raise InvalidTopology(field, f"it holds a {type(value).__name__}. Use {kind.__name__}(…)")


def as_tuple(field: str, values: Iterable[ItemT]) -> tuple[ItemT, ...]:
    """Lists are welcome where tuples are kept; a lone text is not a list of its letters."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise InvalidTopology(field, f"it must be a list or tuple, not {type(values).__name__}")
    return tuple(values)
