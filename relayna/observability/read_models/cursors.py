"""Cursors: where a list goes on. Opaque to clients, and good for the question that they came from only.

Owns their shape. Nothing is kept for them: a cursor says all there is to know.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

import msgspec
from msgspec import Struct

from relayna.errors import InvalidQuery
from relayna.instants import Instant
from relayna.streams.read_models import IndexEntry

__all__ = ["decode_cursor", "encode_cursor"]

_LONGEST = 8_192
_FARTHEST = 2**62
"""From 1970, in microseconds: beyond every instant that is told."""


class _Cursor(Struct, frozen=True, array_like=True):
    question: bytes
    at: Instant
    task_id: bytes
    """An id may hold half a character, which text in MessagePack cannot."""
    ref: bytes


def encode_cursor(entry: IndexEntry, question: object) -> str:
    """A cursor behind this entry, for the question that is told by these data."""
    cursor = _Cursor(_fingerprint(question), entry.at, _bytes(entry.task_id), _bytes(entry.ref))
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(cursor)).rstrip(b"=").decode()


def decode_cursor(text: str | None, question: object) -> IndexEntry | None:
    """The entry behind which to go on; None to begin. Raises `InvalidQuery`."""
    if text is None:
        return None
    cursor = _decoded(text)
    if cursor is None:
        raise InvalidQuery("cursor", f"{text[:80]!r} is no cursor; take it from `next` of an answer")
    if cursor.question != _fingerprint(question):
        raise InvalidQuery("cursor", "it belongs to another question; keep filters and order, or begin anew")
    return IndexEntry(cursor.at, _text(cursor.task_id), _text(cursor.ref))


def _decoded(text: str) -> _Cursor | None:
    if len(text) > _LONGEST:
        return None
    try:
        data = base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = msgspec.msgpack.decode(data, type=_Cursor)
        _text(cursor.task_id), _text(cursor.ref)
    except (UnicodeError, binascii.Error, msgspec.DecodeError):
        return None
    return cursor if abs(cursor.at) <= _FARTHEST else None


def _fingerprint(question: object) -> bytes:
    return hashlib.sha256(msgspec.json.encode(question, order="sorted")).digest()[:8]


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _text(data: bytes) -> str:
    return data.decode(errors="surrogatepass")
