"""What is done to an event that is too large: its large fields are cut, and say so.

Owns the limit and the marks that cutting leaves. Works on what is storable already
(`relayna.events.sanitise`). Pure.
"""

from __future__ import annotations

import hashlib
import itertools
from typing import Final, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

__all__ = ["BODY_LIMIT_BYTES", "cut_body", "cut_envelope", "cut_text"]

BODY_LIMIT_BYTES: Final = 16 * 1024
"""An event larger than this is cut; what was cut leaves its size and SHA-256."""

_KEPT_OF_CUT_TEXT: Final = 2_048

StructT = TypeVar("StructT", bound=Struct)


def cut_body(body: StructT) -> StructT:
    """The same body with its large fields cut to what `BODY_LIMIT_BYTES` can hold."""
    room = BODY_LIMIT_BYTES // max(1, len(body.__struct_fields__))
    changes = {
        name: _cut(value, min(room, _KEPT_OF_CUT_TEXT))
        for name in body.__struct_fields__
        if _size(value := getattr(body, name)) > room
    }
    whole = getattr(body, "body", None)
    if "body" in changes and isinstance(whole, bytes) and getattr(body, "body_sha256", None) is None:
        changes |= {"body_size": len(whole), "body_sha256": hashlib.sha256(whole).hexdigest()}
    return replace(body, **changes) if changes else body


def cut_envelope(envelope: StructT) -> StructT:
    """The same envelope with its labels cut. Ids that join facts to each other stay whole."""
    changes = {
        name: _cut(value, _KEPT_OF_CUT_TEXT)
        for name in ("session_id", "correlation_id", "producer")
        if _size(value := getattr(envelope, name, None)) > _KEPT_OF_CUT_TEXT
    }
    return replace(envelope, **changes) if changes else envelope


def cut_text(text: str, keep: int = _KEPT_OF_CUT_TEXT) -> str:
    """The first `keep` bytes of a storable text, and the size and SHA-256 of the whole."""
    encoded = text.encode()
    kept = encoded[:keep].decode(errors="ignore")
    return f"{kept}… [cut: {len(encoded)} bytes, sha256 {hashlib.sha256(encoded).hexdigest()}]"


def _size(value: object) -> int:
    match value:
        case str():
            return len(value.encode())
        case bytes():
            return len(value)
        case None | int() | float():
            return 0
        case _:
            return len(msgspec.msgpack.encode(value))


def _cut(value: object, keep: int) -> object:
    match value:
        case str():
            return cut_text(value, keep)
        case bytes():
            return value[:keep]
        case dict():
            encoded = msgspec.msgpack.encode(value)
            return {"relayna.cut": {"bytes": len(encoded), "sha256": hashlib.sha256(encoded).hexdigest()}}
        case tuple():
            sizes = itertools.accumulate(len(msgspec.msgpack.encode(item)) for item in value)
            return value[: sum(1 for _ in itertools.takewhile(lambda size: size <= keep, sizes))]
        case _:
            return cut_text(str(value), keep)
