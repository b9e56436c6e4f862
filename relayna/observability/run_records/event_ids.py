"""Ids of events in few bytes: `<attempt>.<seq>` in nine, and what else begins with a minted id in as much as it says.

Owns their layout.
"""

from __future__ import annotations

import re
from typing import Final

from relayna.streams.packing import PackedReader, PackedWriter, packed_id, unpacked_id

__all__ = ["read_event_id", "write_event_id"]

_ATTEMPT: Final = re.compile(r"([0-9a-f]{16})\.(0|[1-9][0-9]{0,8})")
_BEGINNINGS: Final = ((16, 2), (32, 3), (36, 4))
"""Ids of events that begin with the id of an attempt or a message: how long that is, and their kind."""


def write_event_id(writer: PackedWriter, event_id: str) -> None:
    """The id, whatever it is; its kind is in the lowest bits of the first number."""
    attempt = _ATTEMPT.fullmatch(event_id)
    if attempt is not None:
        writer.number(int(attempt[2]) << 3 | 1)
        writer.data += bytes.fromhex(attempt[1])
        return
    for size, kind in _BEGINNINGS:
        packed = _packed(event_id[:size])
        if packed is not None and event_id[size : size + 1] == ".":
            rest = event_id[size + 1 :].encode(errors="surrogatepass")
            writer.number(len(rest) << 3 | kind)
            writer.data += packed + rest
            return
    data = event_id.encode(errors="surrogatepass")
    writer.number(len(data) << 3)
    writer.data += data


def read_event_id(reader: PackedReader) -> str:
    """The id that was written so. Raises `ValueError` for other bytes."""
    number = reader.number()
    kind, size = number & 0b111, number >> 3
    match kind:
        case 0:
            return reader.take(size).decode(errors="surrogatepass")
        case 1:
            return f"{reader.take(8).hex()}.{size}"
        case 2:
            beginning = reader.take(8).hex()
        case 3 | 4:
            beginning = unpacked_id(kind - 2, reader.take(16))
        case _:
            raise ValueError(f"no id of an event is of kind {kind}")
    return f"{beginning}.{reader.take(size).decode(errors='surrogatepass')}"


def _packed(text: str) -> bytes | None:
    """The id of an attempt or a message, packed; None when it is not minted by relayna or alike."""
    if len(text) == 16:
        kind, packed = packed_id(text + text)
        return packed[:8] if kind else None
    kind, packed = packed_id(text)
    return packed if kind else None
