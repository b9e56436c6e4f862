"""How records lie in a segment, and how every whole one is found again in a segment that was damaged.

    segment   header, record, record, …
    header    magic(8) | format version(2) | salt(8) | crc32 of these(4)
    record    length(4) | crc32(4) | payload

Numbers are big-endian. A record's CRC covers its length and its payload and starts from the segment's
salt: bytes that lie inside a payload and look like a record, such as those of a dead letter that holds
another segment, are never taken for one. Knows nothing of files, nor of what a payload means. Pure.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

__all__ = [
    "FORMAT_VERSION",
    "HEADER_BYTES",
    "MAX_PAYLOAD_BYTES",
    "RECORD_OVERHEAD",
    "SALT_BYTES",
    "Scan",
    "encode_header",
    "encode_records",
    "scan",
]

FORMAT_VERSION: Final = 1
SALT_BYTES: Final = 8
MAX_PAYLOAD_BYTES: Final = 1 << 20
"""A record's payload is never longer, nor empty: a damaged length is seldom a plausible one."""

_MAGIC: Final = b"rlnspool"
_HEADER: Final = struct.Struct(f">{len(_MAGIC)}sH{SALT_BYTES}s")
_LENGTH: Final = struct.Struct(">I")
_RECORD: Final = struct.Struct(">II")
_FIRST_BYTE: Final = b"\0"
"""Of every record: no length reaches 2^24. Finding the next one is all that most damaged bytes cost."""

HEADER_BYTES: Final = _HEADER.size + _LENGTH.size
RECORD_OVERHEAD: Final = _RECORD.size
"""Bytes that a record takes beyond its payload."""


class Scan(Struct, frozen=True, kw_only=True):
    """What a segment holds."""

    payloads: list[bytes]
    """Of every whole record, in order."""
    damaged: list[tuple[int, int]]
    """Ranges `[start, end)` of bytes that are part of neither the header nor a whole record."""
    version: int
    """The format's. Nothing is read of a segment of another version than `FORMAT_VERSION`."""

    @property
    def damaged_bytes(self) -> int:
        """How many bytes the damaged ranges hold."""
        return sum(end - start for start, end in self.damaged)


def encode_header(salt: bytes) -> bytes:
    """How a segment begins; `salt` is 8 random bytes that no other segment has."""
    header = _HEADER.pack(_MAGIC, FORMAT_VERSION, salt)
    return header + _LENGTH.pack(zlib.crc32(header))


def encode_records(payloads: Iterable[bytes], salt: bytes) -> bytes:
    """Records to be written one after the other. Raises `ValueError` for a payload that is empty or too long."""
    seed = zlib.crc32(salt)
    parts: list[bytes] = []
    for payload in payloads:
        if not 1 <= len(payload) <= MAX_PAYLOAD_BYTES:
            raise ValueError(f"a payload of {len(payload)} bytes; there may be 1 to {MAX_PAYLOAD_BYTES}")
        length = _LENGTH.pack(len(payload))
        crc = zlib.crc32(payload, zlib.crc32(length, seed))
        parts += (length, _LENGTH.pack(crc), payload)
    return b"".join(parts)


def scan(data: bytes, *, salt: bytes | None = None) -> Scan:
    """Find every whole record, whatever happened to the bytes between them. Never raises.

    `salt` is what is known of it from elsewhere (a segment's name says it); it serves when the header is
    damaged.
    """
    version, salt_of_header = _read_header(data)
    if version is not None and version != FORMAT_VERSION:
        return Scan(payloads=[], damaged=[], version=version)
    seed = zlib.crc32(salt if version is None and salt is not None else salt_of_header)
    start = HEADER_BYTES if version is not None else 0
    payloads: list[bytes] = []
    damaged: list[tuple[int, int]] = []
    view = memoryview(data)
    offset = sound = start  # everything before `sound` is accounted for
    while offset < len(data):
        end = _end_of_record(view, offset, seed)
        if end is None:
            following = data.find(_FIRST_BYTE, offset + 1)
            offset = len(data) if following < 0 else following
            continue
        if sound < offset:
            damaged.append((sound, offset))
        payloads.append(data[offset + RECORD_OVERHEAD : end])
        offset = sound = end
    if sound < len(data):
        damaged.append((sound, len(data)))
    return Scan(payloads=payloads, damaged=damaged, version=FORMAT_VERSION)


def _read_header(data: bytes) -> tuple[int | None, bytes]:
    """The version, unless the header is damaged, and the salt, as far as it is there."""
    if len(data) < HEADER_BYTES:
        return None, data[len(_MAGIC) + 2 : _HEADER.size]
    magic, version, salt = _HEADER.unpack_from(data)
    (crc,) = _LENGTH.unpack_from(data, _HEADER.size)
    if magic != _MAGIC or crc != zlib.crc32(data[: _HEADER.size]):
        return None, salt
    return version, salt


def _end_of_record(view: memoryview, offset: int, seed: int) -> int | None:
    payload = offset + RECORD_OVERHEAD
    if payload > len(view):
        return None
    length, crc = _RECORD.unpack_from(view, offset)
    end = payload + length
    if not 1 <= length <= MAX_PAYLOAD_BYTES or end > len(view):
        return None
    found = zlib.crc32(view[payload:end], zlib.crc32(view[offset : offset + _LENGTH.size], seed))
    return end if found == crc else None
