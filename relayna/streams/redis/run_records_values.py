"""Run records as the store keeps them: fields of a hash, in both directions.

Owns their bytes. A field is named by its task, a hash by the week and by a part of the sessions. A server packs a
hash tightly while no field and no value is longer than 64 bytes, so a longer record goes on in further fields, and
what many records say alike lies beside the week's (`Directory.headings`) and is named by 2 bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct, field

from relayna.ids import TaskId, Tenant
from relayna.instants import Instant
from relayna.streams.keys import TaskAddress
from relayna.streams.packing import PackedReader, PackedWriter, packed_id
from relayna.streams.run_records import WEEK_MICROS, StoredRun, week_of

__all__ = [
    "LARGEST_PARTS", "Directory", "KeptWeek", "Placement", "continued_fields", "fields_of_session", "heading_code", "part_of", "placement_of",
    "read_directory", "read_run", "records_among", "run_field", "run_fields", "spot_of", "week_value",
]  # fmt: skip

LARGEST_PARTS: Final = 4_096
"""Of a week in one shard; a power of two, as every number of parts is."""

_PACKED_BYTES: Final = 64
_MOST_PIECES: Final = 8
_LONGEST_NAME: Final = 63
_DAY: Final = 86_400_000_000
_OFFSET_BYTES: Final = 5
"""A week has fewer than 2**40 microseconds."""
_CODE_BYTES: Final = 2

_LONG_NAME, _PIECE = 3, 4
"""Beside the kinds of packed ids: named by a digest, and what another field goes on with."""
_WITHIN_A_FIELD: Final = 60
"""A session's id of so many bytes is in a record's first field, whatever is said before it."""
_PLAINLY_NAMED: Final = frozenset((b"\0", b"\1", b"\2"))
_SESSION_IS_RUN: Final = 3
_SESSION_BITS: Final = 0b11
_BY_CODE: Final = 0b100
_WHOLE_DAYS: Final = 0b1000
_HAS_PIECES: Final = 0b1_0000
_HAS_HEADING: Final = 0b10_0000
_IS_BEFORE: Final = 0b100_0000
"""It may be forgotten before it began, says whoever wrote it."""


class Placement(Struct, frozen=True, array_like=True, gc=False):
    """Where a run's record lies; kept in the task's row, so that it is found when it is written anew."""

    week: int
    spot: int
    """Of its session; the part of the week is this, modulo the number of parts."""
    pieces: int = 1


class KeptWeek(Struct, frozen=True, gc=False):
    """How a shard keeps one week."""

    parts: int
    """A power of two."""
    until_ms: int
    """When its last key expires."""


class Directory(Struct):
    """What there is of one tenant in one shard."""

    weeks: dict[int, KeptWeek] = field(default_factory=dict)
    headings: dict[bytes, bytes] = field(default_factory=dict)
    """By code, what records begin with."""


def spot_of(session_id: str) -> int:
    """Where a session falls, from 0 to 65,535."""
    return int.from_bytes(hashlib.sha256(session_id.encode(errors="surrogatepass")).digest()[:2])


def part_of(spot: int, parts: int) -> int:
    """In which of so many parts."""
    return spot % parts


def heading_code(heading: bytes) -> bytes:
    """The code of a heading. Two may share one: then the second is not kept apart from its records."""
    return hashlib.sha256(heading).digest()[:_CODE_BYTES]


def run_field(task_id: str) -> bytes:
    """The name of a run's field.

    >>> run_field("order-7")
    b'\\x00order-7'
    """
    kind, packed = packed_id(task_id)
    if len(packed) > _LONGEST_NAME:
        return bytes((_LONG_NAME,)) + hashlib.sha256(packed).digest()[:16]
    return bytes((kind,)) + packed


def continued_fields(name: bytes, pieces: int) -> list[bytes]:
    """The names of the fields in which a record goes on, when it has so many in all."""
    digest = hashlib.sha256(name).digest()[:8]
    return [bytes((_PIECE, number)) + digest for number in range(1, pieces)]


def run_fields(run: StoredRun, headings: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """All fields of a record, in order; of its heading the code, where that is among `headings`."""
    name = run_field(run.address.task_id)
    flags, told = _told(run, headings, name[0] == _LONG_NAME)
    size = _PACKED_BYTES
    pieces = 1
    if len(told) + 1 > size:
        flags |= _HAS_PIECES
        pieces = min(-(-(len(told) + 2) // size), _MOST_PIECES)
        told = bytes((pieces,)) + told
    value = bytes((flags,)) + told
    cut = [value[start : start + size] for start in range(0, (pieces - 1) * size, size)]
    cut.append(value[(pieces - 1) * size :])
    return dict(zip([name, *continued_fields(name, pieces)], cut, strict=True))


def read_run(
    tenant: Tenant, week: int, name: bytes, found: Mapping[bytes, bytes], headings: Mapping[bytes, bytes]
) -> tuple[StoredRun, int] | None:
    """The record that begins in this field, and in how many it lies; none when the field only goes on with another.

    Raises `ValueError` for a record that this version did not write.
    """
    if name[:1] == bytes((_PIECE,)):
        return None
    value = found[name]
    pieces = 1
    if value[:1] and value[0] & _HAS_PIECES:
        pieces = value[1] if len(value) > 1 else 0
        if not 1 < pieces <= _MOST_PIECES:
            raise ValueError(f"a record in {pieces} pieces")
        told = [found.get(piece) for piece in continued_fields(name, pieces)]
        if None in told:
            raise ValueError("a piece of it is missing")
        value = value[:1] + value[2:] + b"".join(piece for piece in told if piece is not None)
    return _run(tenant, week, name, PackedReader(value), headings), pieces


def fields_of_session(session_id: str, fields: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Without those that are plainly of other sessions' records: a look at each, not a reading."""
    _, packed = packed_id(session_id)
    if not packed or len(packed) > _WITHIN_A_FIELD:
        return dict(fields)
    own = run_field(session_id)
    return {
        name: value
        for name, value in fields.items()
        if packed in value
        or name == own
        or name[:1] not in _PLAINLY_NAMED
        or not b"\0" <= value[:1] < b"\x80"
    }


def records_among(names: Iterable[bytes]) -> int:
    """How many records begin in these fields, readable or not."""
    return sum(name[:1] != bytes((_PIECE,)) for name in names)


def week_value(week: KeptWeek) -> str:
    """What the directory says of a week, for people to read too."""
    return f"{week.parts} {week.until_ms}"


def read_directory(fields: Mapping[bytes, bytes]) -> Directory:
    """The directory; what is neither a week nor a heading is passed over."""
    directory = Directory()
    for name, value in fields.items():
        if name[:1] == b"h":
            directory.headings[name[1:]] = value
            continue
        parts, _, until_ms = value.partition(b" ")
        if name.removeprefix(b"-").isdigit() and parts.isdigit() and until_ms.isdigit():
            usable = min(max(1, int(parts)), LARGEST_PARTS)
            directory.weeks[int(name)] = KeptWeek(usable, int(until_ms))
    return directory


def _told(run: StoredRun, headings: Mapping[bytes, bytes], is_long: bool) -> tuple[int, bytes]:
    """The flags, and what follows them."""
    writer = PackedWriter()
    if is_long:
        writer.text(run.address.task_id)
    if run.session_id == run.address.task_id:
        flags = _SESSION_IS_RUN
    else:
        flags, packed = packed_id(run.session_id)
        writer.id(flags, packed)
    writer.data += (run.began % WEEK_MICROS).to_bytes(_OFFSET_BYTES)
    kept = run.expires_at - run.began
    if kept % _DAY == 0:
        flags |= _WHOLE_DAYS
        kept //= _DAY
    if kept < 0:
        flags |= _IS_BEFORE
    writer.number(abs(kept))
    heading = run.data[: max(0, run.heading)]
    code = heading_code(heading)
    if heading and headings.get(code) == heading:
        flags |= _BY_CODE
        writer.data += code + run.data[len(heading) :]
        return flags, bytes(writer.data)
    if heading:
        flags |= _HAS_HEADING
        writer.number(len(heading))
    writer.data += run.data
    return flags, bytes(writer.data)


def _run(
    tenant: Tenant, week: int, name: bytes, reader: PackedReader, headings: Mapping[bytes, bytes]
) -> StoredRun:
    flags = reader.byte()
    task_id = reader.text() if name[0] == _LONG_NAME else _named(name)
    session = flags & _SESSION_BITS
    session_id = task_id if session == _SESSION_IS_RUN else reader.id(session)
    began = week * WEEK_MICROS + int.from_bytes(reader.take(_OFFSET_BYTES))
    kept = reader.number() * (_DAY if flags & _WHOLE_DAYS else 1)
    kept = -kept if flags & _IS_BEFORE else kept
    heading, size = b"", 0
    if flags & _BY_CODE:
        code = reader.take(_CODE_BYTES)
        if code not in headings:
            raise ValueError(f"nothing begins with {code.hex()}")
        heading = headings[code]
        size = len(heading)
    elif flags & _HAS_HEADING:
        size = reader.number()
    return StoredRun(
        address=TaskAddress(TaskId(task_id), tenant),
        session_id=session_id,
        began=Instant(began),
        expires_at=Instant(began + kept),
        data=heading + reader.rest(),
        heading=size,
    )


def _named(name: bytes) -> str:
    reader = PackedReader(name)
    kind = reader.byte()
    if kind == 0:
        return reader.rest().decode(errors="surrogatepass")
    return reader.id(kind)


def placement_of(run: StoredRun, pieces: int) -> Placement:
    """Where this record lies."""
    return Placement(week_of(run.began), spot_of(run.session_id), pieces)
