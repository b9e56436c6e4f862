"""Rows, counts and checkpoints as the store keeps them.

Owns their bytes, in both directions. A task's row is the value of one field of a hash, so its address is not
said again; terms are brought together by their time, and counts by day and group, which most of them share. Names
come before what they name, so that rows which say the same of other things are alike for long stretches. As terms
say again what the data say, and most rows what others do, a row is compressed: by what rows usually say and the
task's id, to a fifth.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from relayna.errors import StoreRefused
from relayna.ids import StreamId, stream_position
from relayna.instants import Instant
from relayna.streams.keys import TaskAddress
from relayna.streams.packing import packed_id
from relayna.streams.read_models import Checkpoint, CountKey, IndexTerm, Row
from relayna.streams.redis.row_words import ROW_WORDS
from relayna.streams.redis.run_records_values import Placement

__all__ = [
    "KeptRow",
    "checkpoint_text",
    "count_field",
    "read_checkpoint",
    "read_count",
    "read_kept_row",
    "read_row",
    "row_field",
    "row_value",
]

WordT = TypeVar("WordT")

_LAYOUT: Final = b"\x02"
"""The first byte of every row; another when `ROW_WORDS` are others."""

_LEVEL: Final = 6
_WINDOW: Final = -12
"""4 KB, without zlib's own header."""
_MEMORY: Final = 5
"""Of 9: more takes longer to begin with than it saves."""

_UUID_FIELD, _HEX_FIELD = b"\xfe", b"\xff"
"""What begins no text."""


class _StoredRow(Struct, frozen=True, array_like=True):
    version: tuple[int, int]
    expires_at: int
    data: bytes
    terms: dict[int, list[bytes]]
    """By time: the names of all, then their values, then their refs. Bytes, because text may hold half characters."""
    counts: dict[int, dict[bytes, list[bytes | int]]]
    """By day and group: the measures, then the numbers."""
    place: Placement | None = None
    """Where the task's run record lies."""


class KeptRow(Struct, frozen=True):
    """A row, and where the task's run record lies."""

    row: Row
    place: Placement | None


_encode = msgspec.msgpack.Encoder().encode
_decode_row = msgspec.msgpack.Decoder(_StoredRow).decode
_decode_count = msgspec.msgpack.Decoder(tuple[bytes, bytes]).decode


def row_field(task_id: str) -> bytes:
    """The name of a task's field, whatever its id.

    >>> row_field("order-7"), len(row_field("00112233445566778899aabbccddeeff"))
    (b'order-7', 17)
    """
    kind, packed = packed_id(task_id)
    return (b"", _HEX_FIELD, _UUID_FIELD)[kind] + packed


def row_value(row: Row, place: Placement | None = None) -> bytes:
    """The value of a task's field, with the place of its run record."""
    version = stream_position(row.version)
    stored = _StoredRow(version, row.expires_at, row.data, _told_terms(row), _told_counts(row), place)
    words = ROW_WORDS + _bytes(row.address.task_id)
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, words)
    return _LAYOUT + packer.compress(_encode(stored)) + packer.flush()


def read_row(address: TaskAddress, value: bytes, *, key: str) -> Row:
    """The row of this task. Raises `StoreRefused` for a value that this version did not write."""
    return read_kept_row(address, value, key=key).row


def read_kept_row(address: TaskAddress, value: bytes, *, key: str) -> KeptRow:
    """The row, and where the task's run record lies. Raises `StoreRefused` as well."""
    if value[:1] != _LAYOUT:
        raise _unreadable(address, key, f"its layout is {value[:1]!r}, not {_LAYOUT!r}")
    try:
        unpacker = zlib.decompressobj(_WINDOW, ROW_WORDS + _bytes(address.task_id))
        stored = _decode_row(unpacker.decompress(value[1:]))
        return KeptRow(_row(address, stored), stored.place)
    except (msgspec.DecodeError, zlib.error, ValueError) as error:
        raise _unreadable(address, key, str(error)) from error


def count_field(key: CountKey) -> bytes:
    """The name of a count's field in the hash of its day."""
    return _encode((_bytes(key.group), _bytes(key.measure)))


def read_count(day: int, field: bytes) -> CountKey:
    """The count whose field it is."""
    group, measure = _decode_count(field)
    return CountKey(day, _text(group), _text(measure))


def checkpoint_text(checkpoint: Checkpoint) -> str:
    """The version of the fold and the position, for people to read too."""
    return f"{checkpoint.fold_version} {checkpoint.position}"


def read_checkpoint(text: bytes) -> Checkpoint:
    """The checkpoint that was written so."""
    fold_version, _, position = text.decode().partition(" ")
    return Checkpoint(fold_version=int(fold_version), position=StreamId(position))


def _row(address: TaskAddress, stored: _StoredRow) -> Row:
    milliseconds, counter = stored.version
    return Row(
        address=address,
        version=StreamId(f"{milliseconds}-{counter}"),
        data=stored.data,
        terms=frozenset(_terms(stored.terms)),
        counts=dict(_counts(stored.counts)),
        expires_at=Instant(stored.expires_at),
    )


def _told_terms(row: Row) -> dict[int, list[bytes]]:
    by_time: dict[int, list[tuple[bytes, bytes, bytes]]] = {}
    for term in row.terms:
        told = _bytes(term.name), _bytes(term.value), _bytes(term.ref)
        by_time.setdefault(term.at, []).append(told)
    return {at: _turned(sorted(by_time[at])) for at in sorted(by_time)}


def _told_counts(row: Row) -> dict[int, dict[bytes, list[bytes | int]]]:
    days: dict[int, dict[bytes, list[tuple[bytes, int]]]] = {}
    for key, count in row.counts.items():
        groups = days.setdefault(key.day, {})
        groups.setdefault(_bytes(key.group), []).append((_bytes(key.measure), count))
    return {
        day: {group: _turned(sorted(told)) for group, told in groups.items()} for day, groups in days.items()
    }


def _turned(rows: Sequence[tuple[WordT, ...]]) -> list[WordT]:
    """The first of each, then the second of each, and so on."""
    return [word for column in zip(*rows, strict=True) for word in column]


def _terms(stored: Mapping[int, list[bytes]]) -> Iterator[IndexTerm]:
    for at, told in stored.items():
        count = len(told) // 3
        for name, value, ref in zip(told[:count], told[count : 2 * count], told[2 * count :], strict=True):
            yield IndexTerm(_text(name), _text(value), Instant(at), _text(ref))


def _counts(stored: Mapping[int, Mapping[bytes, list[bytes | int]]]) -> Iterator[tuple[CountKey, int]]:
    for day, groups in stored.items():
        for group, told in groups.items():
            half = len(told) // 2
            for measure, count in zip(told[:half], told[half:], strict=True):
                if not isinstance(measure, bytes) or not isinstance(count, int):
                    raise ValueError("its counts are no pairs")
                yield CountKey(day, _text(group), _text(measure)), count


def _unreadable(address: TaskAddress, key: str, problem: str) -> StoreRefused:
    told = f"the row of task {address.task_id!r} cannot be read ({problem}); run `relayna reindex`"
    return StoreRefused(f"HMGET {key}", told)


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _text(data: bytes) -> str:
    return data.decode(errors="surrogatepass")
