"""Where a page of a task's events ends, and the cursor that says it. Opaque to clients; nothing is kept for it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Final

import msgspec
from msgspec import Struct

from relayna.errors import InvalidQuery
from relayna.ids import StreamId, stream_position

__all__ = ["HistoryPlace", "decode_place", "encode_place", "is_position"]

_LONGEST: Final = 256
_POSITION: Final = re.compile(r"[0-9]{1,20}-[0-9]{1,20}")
_BOUND: Final = 2**63
"""Both parts of a position are less: a store takes no range that begins behind its last one."""


class HistoryPlace(Struct, frozen=True):
    """An event's place: the entry that holds it, and which of the entry's events it is."""

    stream_id: StreamId
    index: int

    @property
    def key(self) -> tuple[tuple[int, int], int]:
        """What places compare by."""
        return stream_position(self.stream_id), self.index


class _Cursor(Struct, frozen=True, array_like=True):
    asked: bytes
    stream_id: str
    index: int


def encode_place(place: HistoryPlace, asked: object) -> str:
    """A cursor behind this event, for the question that is told by these data."""
    cursor = _Cursor(_fingerprint(asked), place.stream_id, place.index)
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(cursor)).rstrip(b"=").decode()


def decode_place(text: str | None, asked: object) -> HistoryPlace | None:
    """The event behind which to go on; None to begin. Raises `InvalidQuery`."""
    if text is None:
        return None
    cursor = _decoded(text)
    if cursor is None:
        raise InvalidQuery("cursor", f"{text[:80]!r} is no cursor; take it from `next` of an answer")
    if cursor.asked != _fingerprint(asked):
        raise InvalidQuery(
            "cursor", "it belongs to another question; keep task, filters and order, or begin anew"
        )
    return HistoryPlace(StreamId(cursor.stream_id), cursor.index)


def is_position(text: str) -> bool:
    """Whether this may be a position of an event: `milliseconds-counter`, neither too large, nor both zero."""
    if not _POSITION.fullmatch(text):
        return False
    parts = stream_position(StreamId(text))
    return any(parts) and max(parts) < _BOUND


def _decoded(text: str) -> _Cursor | None:
    if len(text) > _LONGEST:
        return None
    try:
        data = base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = msgspec.msgpack.decode(data, type=_Cursor)
    except (UnicodeError, binascii.Error, msgspec.DecodeError):
        return None
    return cursor if is_position(cursor.stream_id) else None


def _fingerprint(asked: object) -> bytes:
    return hashlib.sha256(msgspec.json.encode(asked)).digest()[:8]
