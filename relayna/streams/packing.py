"""Numbers and texts in few bytes: what run records are written with. Pure.

Owns the layout of a number (seven bits a byte, the lowest first; a sign folded into the lowest bit) and of an id:
32 hexadecimal characters, with the hyphens of a UUID or without, are 16 bytes.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["PackedReader", "PackedWriter", "packed_id", "unpacked_id"]

_HEX: Final = re.compile(r"[0-9a-f]{32}")
_HYPHENATED: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ID_BYTES: Final = 16
_MOST_BITS: Final = 77
"""Of one number: more than any time, amount or length has."""

_TEXT, _PLAIN, _UUID = range(3)


def packed_id(text: str) -> tuple[int, bytes]:
    """What kind of id it is, 0 to 2, and its bytes: 16 unless the kind is 0.

    >>> packed_id("order-7")
    (0, b'order-7')
    >>> kind, packed = packed_id("00112233445566778899aabbccddeeff"); kind, len(packed)
    (1, 16)
    """
    if len(text) == 32 and _HEX.fullmatch(text):
        return _PLAIN, bytes.fromhex(text)
    if len(text) == 36 and _HYPHENATED.fullmatch(text):
        return _UUID, bytes.fromhex(text.replace("-", ""))
    return _TEXT, text.encode(errors="surrogatepass")


def unpacked_id(kind: int, data: bytes) -> str:
    """The id of that kind and those bytes. Raises `ValueError` for what `packed_id` never gives."""
    if kind == _TEXT:
        return data.decode(errors="surrogatepass")
    if len(data) != _ID_BYTES or kind not in (_PLAIN, _UUID):
        raise ValueError(f"an id of kind {kind} in {len(data)} bytes")
    text = data.hex()
    return text if kind == _PLAIN else f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class PackedWriter:
    """Bytes that grow."""

    def __init__(self) -> None:
        self.data = bytearray()

    def number(self, value: int) -> None:
        """A number that is not negative."""
        while value > 0x7F:
            self.data.append(value & 0x7F | 0x80)
            value >>= 7
        self.data.append(value)

    def signed(self, value: int) -> None:
        """A number on either side of 0."""
        self.number(value << 1 if value >= 0 else (-value << 1) - 1)

    def blob(self, value: bytes) -> None:
        """Bytes and how many they are."""
        self.number(len(value))
        self.data += value

    def text(self, value: str) -> None:
        """Text, whatever it holds."""
        self.blob(value.encode(errors="surrogatepass"))

    def id(self, kind: int, packed: bytes) -> None:
        """An id whose kind is written elsewhere."""
        if kind == _TEXT:
            self.blob(packed)
        else:
            self.data += packed


class PackedReader:
    """Reads what `PackedWriter` wrote, from one end to the other. Raises `ValueError` for other bytes."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self._end = len(data)
        self.at = at

    def byte(self) -> int:
        """One byte."""
        at = self.at
        if at >= self._end:
            raise ValueError("it ends too early")
        self.at = at + 1
        return self._data[at]

    def number(self) -> int:
        """A number that is not negative."""
        byte = self.byte()
        if byte <= 0x7F:  # most are
            return byte
        value, shift = byte & 0x7F, 7
        while byte > 0x7F:
            if shift > _MOST_BITS:
                raise ValueError("a number does not end")
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
        return value

    def signed(self) -> int:
        """A number on either side of 0."""
        value = self.number()
        return -((value + 1) >> 1) if value & 1 else value >> 1

    def take(self, size: int) -> bytes:
        """So many bytes."""
        end = self.at + size
        if end > self._end:
            raise ValueError("it ends too early")
        found = self._data[self.at : end]
        self.at = end
        return found

    def blob(self) -> bytes:
        """Bytes."""
        return self.take(self.number())

    def text(self) -> str:
        """Text."""
        return self.blob().decode(errors="surrogatepass")

    def id(self, kind: int) -> str:
        """An id of this kind."""
        return unpacked_id(kind, self.blob() if kind == _TEXT else self.take(_ID_BYTES))

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(self._end - self.at)
