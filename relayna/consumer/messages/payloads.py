"""What of a user's own values a message can hold: JSON has no word for the rest, and silence would lose it.

Owns the looking and the words. Writes no message.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct

from relayna.errors import InvalidQuery

__all__ = ["InvalidPayload", "check_numbers_in", "unwritable"]

_USERS_OWN: Final = ("payload", "meta")
"""The fields of envelopes that hold whatever a user gives."""


class InvalidPayload(InvalidQuery, TypeError):
    """What a user gave for the `payload` or `meta` of a task is nothing that JSON can hold; nothing was sent."""


def unwritable(envelope: Struct, error: Exception) -> InvalidPayload:
    """What to say when the encoder failed with `error`."""
    for task_id, name, value in _given(envelope):
        try:
            msgspec.json.encode(value)
        except (TypeError, ValueError, RecursionError) as problem:
            return InvalidPayload(name, f"JSON cannot hold that of task {task_id!r}: {problem}")
    return InvalidPayload("message", f"JSON cannot hold it: {error}")


def check_numbers_in(envelope: Struct) -> None:
    """NaN and infinities are nowhere in it: they would arrive as null. Raises `InvalidPayload`."""
    for task_id, name, value in _given(envelope):
        odd = _odd_number(name, value)
        if odd is not None:
            problem = f"task {task_id!r} has {odd}, which JSON cannot hold; give None, a number or a text"
            raise InvalidPayload(name, problem)


def _given(envelope: Struct) -> Iterator[tuple[str, str, Any]]:  # Any: the user's own value
    tasks: Iterable[Any] = getattr(envelope, "tasks", (envelope,))  # Any: whichever envelope it is
    for task in tasks:
        for name in _USERS_OWN:
            yield task.task_id, name, getattr(task, name, None)


def _odd_number(name: str, value: Any) -> str | None:  # Any: the user's own value
    try:
        waiting: list[tuple[str, Any]] = [(name, msgspec.to_builtins(value))]
    except TypeError:
        return None  # it holds JSON already (`msgspec.Raw`): whoever wrote that chose its words
    while waiting:
        place, one = waiting.pop()
        match one:
            case float() if not math.isfinite(one):
                return f"{place} = {one}"
            case dict():
                waiting += [(f"{place}[{key!r}]", part) for key, part in one.items() if _may_hold(part)]
            case list() | tuple():
                waiting += [(f"{place}[{key}]", part) for key, part in enumerate(one) if _may_hold(part)]
    return None


def _may_hold(value: object) -> bool:
    return isinstance(value, float | dict | list | tuple)
