"""The one step between what a worker says and what is stored: storable, bounded, redacted.

Owns what is done to values that MessagePack cannot hold (all of them tried), to values that are too
large, and to secrets. Pure; never raises.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, TypeAlias, TypeVar, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

__all__ = ["BODY_LIMIT_BYTES", "Redact", "cut_body", "redact_keys", "sanitise_body"]

BODY_LIMIT_BYTES: Final = 16 * 1024
"""An event's body larger than this is cut; what was cut leaves its size and SHA-256."""

Redact: TypeAlias = Callable[[str, object], object]
"""Given a key of a free-form map, at any depth, and its value: what to store instead."""

REDACTED: Final = "[redacted]"
_DEPTH_LIMIT: Final = 32
_VALUES_LIMIT: Final = 10_000
_KEPT_OF_CUT_TEXT: Final = 2_048
_INTEGERS: Final = (-(2**63), 2**64 - 1)
_FREE_FORM: Final = ("meta", "headers")

StructT = TypeVar("StructT", bound=Struct)


def redact_keys(keys: Iterable[str]) -> Redact:
    """A hook that hides the values of keys that contain one of these words, whatever their case.

    >>> redact_keys(["password"])("DB_Password", "hunter2")
    '[redacted]'
    """
    words = tuple(key.lower() for key in keys if key)

    def redact(key: str, value: object) -> object:
        lowered = key.lower()
        return REDACTED if any(word in lowered for word in words) else value

    return redact


def sanitise_body(body: StructT, redact: Redact | None = None, *, thorough: bool = False) -> StructT:
    """The same body, storable. Free-form maps are always walked; `thorough` walks every field."""
    names = body.__struct_fields__ if thorough else _FREE_FORM
    changes: dict[str, object] = {}
    for name in names:
        value = getattr(body, name, None)
        if value is not None and not isinstance(value, bytes):
            changes[name] = _Walk(redact).value(value)
    return replace(body, **changes) if changes else body


def cut_body(body: StructT) -> StructT:
    """The same body with its large fields cut to what `BODY_LIMIT_BYTES` can hold."""
    room = BODY_LIMIT_BYTES // max(1, len(body.__struct_fields__))
    changes = {
        name: _cut(value, min(room, _KEPT_OF_CUT_TEXT))
        for name in body.__struct_fields__
        if _size(value := getattr(body, name)) > room
    }
    return replace(body, **changes) if changes else body


def _size(value: object) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    return len(msgspec.msgpack.encode(value)) if isinstance(value, dict | tuple) else 0


def _cut(value: object, keep: int) -> object:
    match value:
        case str():
            encoded = value.encode()
            kept = encoded[:keep].decode(errors="ignore")
            return f"{kept}… [cut: {len(encoded)} bytes, sha256 {hashlib.sha256(encoded).hexdigest()}]"
        case bytes():
            return value[:keep]
        case dict():
            encoded = msgspec.msgpack.encode(value)
            return {"relayna.cut": {"bytes": len(encoded), "sha256": hashlib.sha256(encoded).hexdigest()}}
        case _:
            return ()


class _Walk:
    """One walk over one free-form value, with a budget of values that bounds its time and result."""

    def __init__(self, redact: Redact | None) -> None:
        self._redact = redact
        self._left = _VALUES_LIMIT

    def value(self, value: object, depth: int = 0) -> object:
        self._left -= 1
        match value:
            case None | bool():
                return value
            case str():
                return _text(value)
            case int():
                return value if _INTEGERS[0] <= value <= _INTEGERS[1] else _big_integer(value)
            case float():
                return value if math.isfinite(value) else str(value)
            case Mapping() | list() | tuple() | set() | frozenset() if depth >= _DEPTH_LIMIT:
                return "[cut: too deep]"
            case Mapping():
                return self._mapping(value, depth)
            case list() | tuple() | set() | frozenset():
                return self._sequence(cast("Iterable[object]", value), depth)
            case _:
                return _scalar(value)

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, object]:
        result: dict[str, object] = {}
        for key, item in value.items():
            if self._left <= 0:
                result["relayna.cut"] = {"keys": len(value)}
                break
            name = key if isinstance(key, str) else str(self.value(key, _DEPTH_LIMIT))
            hidden = item if self._redact is None else self._redact(name, item)
            result[_text(name)] = self.value(hidden, depth + 1)
        return result

    def _sequence(self, value: Iterable[object], depth: int) -> list[object]:
        result: list[object] = []
        for item in value:
            if self._left <= 0:
                result.append("[cut: too many values]")
                break
            result.append(self.value(item, depth + 1))
        return result


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:  # lone surrogates; real pairs are joined on the way
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value


def _big_integer(value: int) -> str:
    try:
        return str(value)
    except ValueError:  # more digits than Python will print
        return f"[integer of {value.bit_length()} bits]"


def _scalar(value: object) -> object:
    match value:
        case datetime():
            return value.isoformat()
        case bytes() | bytearray() | memoryview():
            data = bytes(value)
            try:
                return data.decode()
            except UnicodeDecodeError:
                return base64.b64encode(data).decode()
        case _:
            return f"<{type(value).__name__}>"
