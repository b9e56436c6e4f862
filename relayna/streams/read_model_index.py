"""Entries of the index as bytes that sort as the entries do. Pure.

Owns the layout of a member, which memory and Redis share:

    DIGEST   16 bytes: SHA-256 of name and value, cut; nobody finds two that share it
    TIME     8 bytes, big-endian, counted from -2**63
    TASK     the task id
    REF      what tells entries of the task apart

The last two are texts, which say first in one byte what follows: nothing (the empty text), the 8 or 16 bytes of 16 or
32 hexadecimal digits, the 16 bytes of a UUID, or UTF-8 up to a NUL. So no member is the beginning of another.

Members of one name and value lie together, in order of time, then task id, then ref: texts by what follows, and those
alike by their characters, as bytes of UTF-8 sort as they do. When a row is to be swept is an entry too, under a digest
that no name has.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Final

from msgspec import Struct

from relayna.ids import TaskId
from relayna.instants import Instant
from relayna.streams.packing import packed_id, unpacked_id
from relayna.streams.read_models import IndexEntry, IndexPage, IndexTerm, Row

__all__ = [
    "MemberRange",
    "end_of_member",
    "entry_in",
    "range_of",
    "row_members",
    "sweep_range",
    "term_member",
]

_HEX: Final = re.compile(r"[0-9a-f]*")
_DIGEST_BYTES: Final = 16
_TIME_BYTES: Final = 8
_FIRST_INSTANT: Final = -(2**63)
_START: Final = _DIGEST_BYTES + _TIME_BYTES
_SWEEP: Final = bytes(_DIGEST_BYTES)
_AFTER_ALL: Final = b"\xff"
"""Sorts after every time, of which none is in the last of its eight bytes' worth of ages."""

_NOTHING, _SHORT_HEX, _LONG_HEX, _UUID, _TEXT = range(5)
"""What follows."""
_SIZES: Final = {_NOTHING: 0, _SHORT_HEX: 8, _LONG_HEX: 16, _UUID: 16}


class MemberRange(Struct, frozen=True, gc=False):
    """Members from `first` up to and without `end`; without `first` itself when it was read already."""

    first: bytes
    end: bytes
    without_first: bool = False

    def beyond(self, member: bytes, *, newest_first: bool) -> MemberRange:
        """What is left when this member was read last."""
        if newest_first:
            return MemberRange(self.first, min(self.end, member), self.without_first)
        if member < self.first:
            return self
        return MemberRange(member, self.end, without_first=True)


def term_member(term: IndexTerm, task_id: TaskId) -> bytes:
    """The member by which a term finds its task.

    >>> entry_in(term_member(IndexTerm("status", "failed", Instant(7), "a"), TaskId("order")))
    IndexEntry(at=7, task_id='order', ref='a')
    """
    return _placed(term) + _text(task_id) + _text(term.ref)


def row_members(row: Row) -> set[bytes]:
    """Every member of a row, with the one by which it is swept."""
    task = _text(row.address.task_id)
    members = {_placed(term) + task + _text(term.ref) for term in row.terms}
    members.add(_SWEEP + _time(row.expires_at) + task + _text(""))
    return members


def entry_in(member: bytes) -> IndexEntry:
    """The entry that a member tells of. Raises `ValueError` for what is none."""
    at = int.from_bytes(member[_DIGEST_BYTES:_START]) + _FIRST_INSTANT
    end = _text_end(member, _START)
    return IndexEntry(Instant(at), _text_in(member[_START:end]), _text_in(member[end:]))


def end_of_member(data: bytes) -> int:
    """Where the member ends with which these bytes begin. Raises `ValueError` when they begin with none."""
    return _text_end(data, _text_end(data, _START))


def range_of(wanted: IndexPage) -> MemberRange:
    """Where the members of a page lie."""
    digest = _digest(wanted.name, wanted.value)
    whole = MemberRange(
        digest if wanted.since is None else digest + _time(wanted.since),
        digest + (_AFTER_ALL if wanted.until is None else _time(wanted.until)),
    )
    if wanted.after is None:
        return whole
    entry = wanted.after
    after = digest + _time(entry.at) + _text(entry.task_id) + _text(entry.ref)
    return whole.beyond(after, newest_first=wanted.newest_first)


def sweep_range(before: Instant) -> MemberRange:
    """Where the members of the rows lie that were to be swept by then."""
    return MemberRange(_SWEEP, _SWEEP + _time(Instant(before + 1)))


def _placed(term: IndexTerm) -> bytes:
    return _digest(term.name, term.value) + _time(term.at)


def _text(text: str) -> bytes:
    if not text:
        return b"\0"
    kind, packed = packed_id(text)
    if kind:
        return bytes((_LONG_HEX if kind == 1 else _UUID,)) + packed
    if len(text) == 16 and _HEX.fullmatch(text):
        return bytes((_SHORT_HEX,)) + bytes.fromhex(text)
    if b"\0" in packed or b"\1" in packed:
        packed = packed.replace(b"\1", b"\1\2").replace(b"\0", b"\1\1")
    return b"%c%b\0" % (_TEXT, packed)


def _text_end(data: bytes, start: int) -> int:
    kind = data[start] if start < len(data) else _TEXT + 1
    end = data.index(0, start) + 1 if kind == _TEXT else start + 1 + _SIZES.get(kind, len(data))
    if end > len(data):
        raise ValueError("it is no entry of an index")
    return end


def _text_in(data: bytes) -> str:
    kind, packed = data[0], data[1:]
    if kind == _TEXT:
        return packed[:-1].replace(b"\1\1", b"\0").replace(b"\1\2", b"\1").decode(errors="surrogatepass")
    return unpacked_id(2, packed) if kind == _UUID else packed.hex()


def _time(at: Instant) -> bytes:
    return (at - _FIRST_INSTANT).to_bytes(_TIME_BYTES)


@lru_cache(maxsize=8192)
def _digest(name: str, value: str) -> bytes:
    told = name.encode(errors="surrogatepass")
    text = b"%d:%b%b" % (len(told), told, value.encode(errors="surrogatepass"))
    return hashlib.sha256(text).digest()[:_DIGEST_BYTES]
