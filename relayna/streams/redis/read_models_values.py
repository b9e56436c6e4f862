"""Rows, counts and checkpoints as the store keeps them.

Owns their bytes, in both directions. A task's row is the value of one field of a hash, so its address is not
said again; terms are brought together by their time, and counts by day and group, which most of them share. Names
come before what they name, so that rows which say the same of other things are alike for long stretches. As terms
say again what the data say, and most rows what others do, a row is compressed: by what rows usually say and the
task's id, to a fifth.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Generic, TypeVar

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

WordT = TypeVar("WordT", str, bytes)

_IN_TEXT, _IN_BYTES = b"\x02", b"\x03"
"""The first byte of every row: whether it says text as text, or as bytes, because some of it holds half a character.

Others when `ROW_WORDS` are others.
"""

_LEVEL: Final = 6
_WINDOW: Final = -12
"""4 KB, without zlib's own header."""
_MEMORY: Final = 5
"""Of 9: more takes longer to begin with than it saves."""

_UUID_FIELD, _HEX_FIELD = b"\xfe", b"\xff"
"""What begins no text."""


class _StoredRow(Struct, Generic[WordT], frozen=True, array_like=True):
    version: tuple[int, int]
    expires_at: int
    data: bytes
    terms: dict[int, list[WordT]]
    """By time: the names of all, then their values, then their refs."""
    counts: dict[int, dict[WordT, list[WordT | int]]]
    """By day and group: the measures, then the numbers."""
    place: Placement | None = None
    """Where the task's run record lies."""


class KeptRow(Struct, frozen=True):
    """A row, and where the task's run record lies."""

    row: Row
    place: Placement | None


_encode = msgspec.msgpack.Encoder().encode
_decode_in_text = msgspec.msgpack.Decoder(_StoredRow[str]).decode
_decode_in_bytes = msgspec.msgpack.Decoder(_StoredRow[bytes]).decode
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
    try:
        layout, stored = _IN_TEXT, _encode(_stored(row, place, str))
    except UnicodeEncodeError:
        layout, stored = _IN_BYTES, _encode(_stored(row, place, _bytes))
    words = ROW_WORDS + _bytes(row.address.task_id)
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, words)
    return layout + packer.compress(stored) + packer.flush()


def read_row(address: TaskAddress, value: bytes, *, key: str) -> Row:
    """The row of this task. Raises `StoreRefused` for a value that this version did not write."""
    return read_kept_row(address, value, key=key).row


def read_kept_row(address: TaskAddress, value: bytes, *, key: str) -> KeptRow:
    """The row, and where the task's run record lies. Raises `StoreRefused` as well."""
    if value[:1] not in {_IN_TEXT, _IN_BYTES}:
        raise _unreadable(address, key, f"its layout is {value[:1]!r}, not {_IN_TEXT!r}")
    unpacker = zlib.decompressobj(_WINDOW, ROW_WORDS + _bytes(address.task_id))
    try:
        told = unpacker.decompress(value[1:])
        if value[:1] == _IN_TEXT:
            in_text = _decode_in_text(told)
            return KeptRow(_row(address, in_text, str), in_text.place)
        in_bytes = _decode_in_bytes(told)
        return KeptRow(_row(address, in_bytes, _text), in_bytes.place)
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


def _row(address: TaskAddress, stored: _StoredRow[WordT], text: Callable[[WordT], str]) -> Row:
    milliseconds, counter = stored.version
    return Row(
        address=address,
        version=StreamId(f"{milliseconds}-{counter}"),
        data=stored.data,
        terms=frozenset(_terms(stored.terms, text)),
        counts=dict(_counts(stored.counts, text)),
        expires_at=Instant(stored.expires_at),
    )


def _stored(row: Row, place: Placement | None, word: Callable[[str], WordT]) -> _StoredRow[WordT]:
    by_time: dict[int, list[tuple[str, str, str]]] = {}
    for term in row.terms:
        by_time.setdefault(term.at, []).append((term.name, term.value, term.ref))
    terms = {at: list(map(word, _turned(sorted(by_time[at])))) for at in sorted(by_time)}
    days: dict[int, dict[str, list[tuple[str, int]]]] = {}
    for key, count in row.counts.items():
        days.setdefault(key.day, {}).setdefault(key.group, []).append((key.measure, count))
    counts = {
        day: {word(group): _stored_counts(sorted(counted), word) for group, counted in groups.items()}
        for day, groups in days.items()
    }
    return _StoredRow(stream_position(row.version), row.expires_at, row.data, terms, counts, place)


def _stored_counts(counted: Sequence[tuple[str, int]], word: Callable[[str], WordT]) -> list[WordT | int]:
    told: list[WordT | int] = [word(measure) for measure, _ in counted]
    told += [count for _, count in counted]
    return told


def _turned(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """The first of each, then the second of each, and so on."""
    return itertools.chain.from_iterable(zip(*rows, strict=True))


def _terms(stored: Mapping[int, list[WordT]], text: Callable[[WordT], str]) -> Iterator[IndexTerm]:
    for at, words in stored.items():
        told = list(map(text, words))
        count = len(told) // 3
        for name, value, ref in zip(told[:count], told[count : 2 * count], told[2 * count :], strict=True):
            yield IndexTerm(name, value, Instant(at), ref)


def _counts(
    stored: Mapping[int, Mapping[WordT, list[WordT | int]]], text: Callable[[WordT], str]
) -> Iterator[tuple[CountKey, int]]:
    for day, groups in stored.items():
        for group, told in groups.items():
            half, name = len(told) // 2, text(group)
            for measure, count in zip(told[:half], told[half:], strict=True):
                if isinstance(measure, int) or not isinstance(count, int):
                    raise ValueError("its counts are no pairs")
                yield CountKey(day, name, text(measure)), count


def _unreadable(address: TaskAddress, key: str, problem: str) -> StoreRefused:
    told = f"the row of task {address.task_id!r} cannot be read ({problem}); run `relayna reindex`"
    return StoreRefused(f"HMGET {key}", told)


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _text(data: bytes) -> str:
    return data.decode(errors="surrogatepass")
