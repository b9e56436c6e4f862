"""Rows, counts and checkpoints as the store keeps them.

Owns their bytes, in both directions. A task's row is the value of one field of a hash, so its address is not
said again; terms are brought together by their time, and counts by day and group, which most of them share. As
terms say again what the data say, a row is compressed: to two thirds, in some ten microseconds.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from relayna.errors import StoreRefused
from relayna.ids import StreamId, stream_position
from relayna.instants import Instant
from relayna.streams.keys import TaskAddress
from relayna.streams.read_models import Checkpoint, CountKey, IndexTerm, Row
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

_LAYOUT: Final = b"\x01"
"""The first byte of every row."""

_LEVEL: Final = 6


class _StoredRow(Struct, frozen=True, array_like=True):
    version: tuple[int, int]
    expires_at: int
    data: bytes
    terms: dict[int, list[bytes]]
    """By time: name, value and ref of each, one after the other. Bytes, because text may hold half characters."""
    counts: dict[int, dict[bytes, dict[bytes, int]]]
    """By day and group."""
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
    """The name of a task's field, whatever its id."""
    return _bytes(task_id)


def row_value(row: Row, place: Placement | None = None) -> bytes:
    """The value of a task's field, with the place of its run record."""
    terms: dict[int, list[bytes]] = {}
    for term in row.terms:
        terms.setdefault(term.at, []).extend(map(_bytes, (term.name, term.value, term.ref)))
    counts: dict[int, dict[bytes, dict[bytes, int]]] = {}
    for key, count in row.counts.items():
        counts.setdefault(key.day, {}).setdefault(_bytes(key.group), {})[_bytes(key.measure)] = count
    version = stream_position(row.version)
    stored = _encode(_StoredRow(version, row.expires_at, row.data, terms, counts, place))
    return _LAYOUT + zlib.compress(stored, _LEVEL, -zlib.MAX_WBITS)


def read_row(address: TaskAddress, value: bytes, *, key: str) -> Row:
    """The row of this task. Raises `StoreRefused` for a value that this version did not write."""
    return read_kept_row(address, value, key=key).row


def read_kept_row(address: TaskAddress, value: bytes, *, key: str) -> KeptRow:
    """The row, and where the task's run record lies. Raises `StoreRefused` as well."""
    if value[:1] != _LAYOUT:
        raise _unreadable(address, key, f"its layout is {value[:1]!r}, not {_LAYOUT!r}")
    try:
        stored = _decode_row(zlib.decompress(value[1:], -zlib.MAX_WBITS))
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
        counts={
            CountKey(day, _text(group), _text(measure)): count
            for day, groups in stored.counts.items()
            for group, measures in groups.items()
            for measure, count in measures.items()
        },
        expires_at=Instant(stored.expires_at),
    )


def _terms(stored: Mapping[int, list[bytes]]) -> list[IndexTerm]:
    return [
        IndexTerm(_text(name), _text(value), Instant(at), _text(ref))
        for at, told in stored.items()
        for name, value, ref in zip(told[::3], told[1::3], told[2::3], strict=True)
    ]


def _unreadable(address: TaskAddress, key: str, problem: str) -> StoreRefused:
    told = f"the row of task {address.task_id!r} cannot be read ({problem}); run `relayna reindex`"
    return StoreRefused(f"HMGET {key}", told)


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _text(data: bytes) -> str:
    return data.decode(errors="surrogatepass")
