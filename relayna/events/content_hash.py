"""Hashes by which the same content is known again, whoever wrote it down: of canonical JSON, else of the raw bytes.

Owns what is canonical: keys sorted by code points, no blanks, UTF-8, numbers as Python's `json` writes them. Pure.

    >>> content_hash({"b": 2, "a": 1})
    '43258cff783fe7036d8a43033f830adfc60ec037382473548ac742b888292777'
"""

from __future__ import annotations

import hashlib
import json

__all__ = ["bytes_hash", "canonical_json", "content_hash", "json_hash", "payload_hash"]


def bytes_hash(data: bytes | bytearray | memoryview) -> str:
    """SHA-256 of these bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def canonical_json(value: object) -> bytes | None:
    """The one spelling of a JSON value; None for what is none: NaN, half a character, a tree too deep, an object."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
        return text.encode()
    except (TypeError, ValueError, RecursionError):
        return None


def content_hash(content: object) -> str | None:
    """The hash of bytes as they are, or of a JSON value; None for what is neither, and for nothing at all."""
    if isinstance(content, bytes | bytearray | memoryview):
        return bytes_hash(content)
    written = None if content is None else canonical_json(content)
    return None if written is None else bytes_hash(written)


def json_hash(body: bytes) -> str:
    """The hash of the JSON value that the bytes spell, however they do; of the bytes where they spell none."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return bytes_hash(body)
    written = canonical_json(value)
    return bytes_hash(body if written is None else written)


def payload_hash(payload: object, body: bytes) -> str:
    """The hash of a message's payload, whatever its body says beside it; of the body where that is no JSON value."""
    written = canonical_json(payload)
    return json_hash(body) if written is None else bytes_hash(written)
