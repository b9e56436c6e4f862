"""The one step between what a worker says and what is stored: storable, bounded, redacted.

Owns what is done to values that MessagePack cannot hold (all of them tried), to maps without end, and to
secrets in maps. Pure; never raises on data. `relayna.events.cut` cuts what is too large, and
`relayna.events.redaction` knows secrets.
"""

from __future__ import annotations

import base64
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from relayna.events.cut import BODY_LIMIT_BYTES, cut_text
from relayna.events.masking import REDACTED
from relayna.events.redaction import Redact, Redaction
from relayna.events.vocabulary import EVENT_TYPES

__all__ = [
    "FREE_FORM_FIELDS",
    "sanitise_body",
    "sanitise_value",
    "storable_text",
    "with_json_maps",
]

FREE_FORM_FIELDS: Final = ("meta", "headers", "metadata", "attributes")
"""Fields that hold the user's own maps: always walked, and redacted at every depth."""

_FREE_FORM_OF: Final[Mapping[type, Sequence[str]]] = {
    event_type: [name for name in FREE_FORM_FIELDS if name in event_type.__struct_fields__]
    for event_type, _ in EVENT_TYPES
}
"""Most facts have none."""

_DEPTH_LIMIT: Final = 32
_VALUES_LIMIT: Final = 10_000
_TEXT_LIMIT: Final = 4 * BODY_LIMIT_BYTES
_SHORT_TEXT: Final = 64
_SMALLEST_INTEGER: Final = -(2**63)
_LARGEST_INTEGER: Final = 2**64 - 1

_json: Final = msgspec.json.Encoder(order="deterministic")

StructT = TypeVar("StructT", bound=Struct)


def sanitise_body(body: StructT, redact: Redact | None = None, *, thorough: bool = False) -> StructT:
    """The same body, storable. Free-form maps are always walked; `thorough` walks every field."""
    changes: dict[str, object] = {}
    for name in body.__struct_fields__ if thorough else _FREE_FORM_OF.get(type(body), FREE_FORM_FIELDS):
        value = getattr(body, name, None)
        if value is None:
            continue
        stored = _free_form(value, redact) if name in FREE_FORM_FIELDS else _typed(value)
        if stored is not value:
            changes[name] = stored
    return replace(body, **changes) if changes else body


def sanitise_value(value: object) -> object:
    """Any value as bounded JSON values: maps with text keys, lists, text, 64-bit integers, finite numbers."""
    return _Walk(None).value(value)


def storable_text(text: str) -> str:
    """The same text, with what UTF-8 cannot hold (lone surrogates) replaced.

    >>> storable_text("a\\ud800b")
    'a\ufffdb'
    """
    text = str.__str__(text)  # a subclass of str is one that MessagePack refuses
    try:
        text.encode()
    except UnicodeEncodeError:  # real pairs are joined on the way
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def with_json_maps(body: StructT) -> StructT:
    """The same body, its free-form maps such that JSON can hold them: damaged bytes can spell others."""
    for name in _free_form_fields(type(body)):
        value = getattr(body, name)
        if value is not None:
            try:
                _json.encode(value)
            except (TypeError, ValueError, OverflowError, RecursionError):
                return sanitise_body(body)
    return body


@cache
def _free_form_fields(body_type: type[Struct]) -> tuple[str, ...]:
    return tuple(name for name in FREE_FORM_FIELDS if name in body_type.__struct_fields__)


def _free_form(value: object, redact: Redact | None) -> dict[str, object]:
    stored = _Walk(redact).value(value)
    return stored if isinstance(stored, dict) else {"value": stored}


def _typed(value: object, depth: int = 0) -> object:
    """A field whose type is known: it keeps its type, so that the whole event can be read again."""
    match value:
        case None | bool():
            return value
        case bytes() | bytearray() | memoryview():
            return value if type(value) is bytes else bytes(value)
        case Enum():
            return _typed(value.value, depth)
        case str():
            return storable_text(value)
        case int():
            return max(_SMALLEST_INTEGER, min(_LARGEST_INTEGER, int.__index__(value)))
        case float():
            return float.__float__(value) if math.isfinite(value) else None
        case tuple() if depth < 2:
            return tuple(_typed(item, depth + 1) for item in value)
        case _:
            return sanitise_value(value)


class _Walk:
    """One walk over one free-form value, with budgets that bound its time and its result."""

    def __init__(self, redact: Redact | None) -> None:
        self._redact = redact
        self._redaction = redact if isinstance(redact, Redaction) else None
        self._values_left = _VALUES_LIMIT
        self._text_left = _TEXT_LIMIT

    def value(self, value: object, depth: int = 0) -> object:
        self._values_left -= 1
        if type(value) is str:  # what nearly all are
            return self._text(value)
        match value:
            case None | bool():
                return value
            case Enum():
                return self.value(value.value, depth)
            case str():
                return self._text(value)
            case int():
                return _integer(int.__index__(value))
            case float():
                return float.__float__(value) if math.isfinite(value) else str(float.__float__(value))
            case Mapping() | list() | tuple() | set() | frozenset():
                return self._container(value, depth)
            case _:
                return self._text(_printed(value))

    def _container(self, value: Mapping[Any, Any] | Iterable[object], depth: int) -> object:
        if depth >= _DEPTH_LIMIT:  # also where a map that holds itself ends
            return "[cut: too deep]"
        if self._redaction is not None:
            value = self._redaction.unpaired(value)
        return self._mapping(value, depth) if isinstance(value, Mapping) else self._sequence(value, depth)

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, object]:
        result: dict[str, object] = {}
        for key, item in self._affordable(value.items()):
            if self._values_left <= 0:
                result["relayna.cut"] = {"keys": len(value)}
                break
            name = self._name(key)
            if name in result:  # 1 and "1", or two keys that are both cut
                name = f"{name} [{len(result)}]"
            result[name] = self.value(self._redacted(name, item), depth + 1)
        return result

    def _sequence(self, value: Iterable[object], depth: int) -> list[object]:
        result: list[object] = []
        for item in self._affordable(value):
            if self._values_left <= 0:
                result.append("[cut: too many values]")
                break
            result.append(self.value(item, depth + 1))
        return result

    def _affordable(self, items: Iterable[Any]) -> list[Any]:
        # Copied in one step: another thread of the worker may be writing to the same map. One more
        # than the budget allows, so that the end of the budget is seen.
        return list(itertools.islice(items, max(0, self._values_left) + 1))

    def _name(self, key: object) -> str:
        if isinstance(key, str) and not isinstance(key, Enum):
            if self._redaction is not None:
                key = self._redaction.name(key)
            return storable_text(key) if len(key) <= _SHORT_TEXT else self._text(key)
        if isinstance(key, Mapping | tuple | frozenset):
            return f"<{type(key).__name__}>"
        return str(self.value(key, _DEPTH_LIMIT))

    def _redacted(self, name: str, item: object) -> object:
        if self._redact is None:
            return item
        try:
            return self._redact(name, item)
        except Exception:  # noqa: BLE001 - the hook is the user's: its failure must neither stop a worker nor store a secret
            return f"{REDACTED[:-1]}: the hook failed]"

    def _text(self, value: str) -> str:
        if self._redaction is not None:
            value = self._redaction.text(value)
        if len(value) <= max(_SHORT_TEXT, self._text_left):
            self._text_left -= len(value)
            return storable_text(value)
        if self._text_left <= 0:
            return f"[cut: {len(value)} characters]"
        self._text_left = 0
        return cut_text(storable_text(value))


def _integer(value: int) -> int | str:
    if _SMALLEST_INTEGER <= value <= _LARGEST_INTEGER:
        return value
    try:
        return str(value)
    except ValueError:  # more digits than Python will print
        return f"[integer of {value.bit_length()} bits]"


def _printed(value: object) -> str:
    match value:
        case datetime() | date() | time():
            return value.isoformat()
        case UUID() | Decimal() | timedelta():
            return str(value)
        case bytes() | bytearray() | memoryview():
            data = bytes(value)
            try:
                return data.decode()
            except UnicodeDecodeError:
                return base64.b64encode(data).decode()
        case _:
            return f"<{type(value).__name__}>"
