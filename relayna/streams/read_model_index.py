"""Entries of the index as bytes that sort as the entries do. Pure.

Owns the layout of a member, which memory and Redis share:

    DIGEST   16 bytes: SHA-256 of name and value, cut; nobody finds two that share it
    TIME     8 bytes, big-endian, counted from -2**63
    TASK     the task id in UTF-8, each NUL followed by 0xFF, which UTF-8 never holds; then a NUL
    REF      what tells entries of the task apart, in UTF-8

Members of one name and value lie together, in order of time, then task id, then ref: bytes of UTF-8 sort as
their characters do. When a row is to be swept is an entry too, under a digest that no name has.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

from msgspec import Struct

from relayna.ids import TaskId
from relayna.instants import Instant
from relayna.streams.read_models import IndexEntry, IndexPage, IndexTerm, Row

__all__ = ["MemberRange", "entry_in", "range_of", "row_members", "sweep_range", "term_member"]

_DIGEST_BYTES: Final = 16
_TIME_BYTES: Final = 8
_FIRST_INSTANT: Final = -(2**63)
_SWEEP: Final = bytes(_DIGEST_BYTES)
_AFTER_ALL: Final = b"\xff"
"""Sorts after every time, of which none is in the last of its eight bytes' worth of ages."""


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
    return _member(_digest(term.name, term.value), term.at, task_id, term.ref)


def row_members(row: Row) -> set[bytes]:
    """Every member of a row, with the one by which it is swept."""
    task_id = row.address.task_id
    members = {term_member(term, task_id) for term in row.terms}
    members.add(_member(_SWEEP, row.expires_at, task_id, ""))
    return members


def entry_in(member: bytes) -> IndexEntry:
    """The entry that a member tells of."""
    start = _DIGEST_BYTES + _TIME_BYTES
    at = int.from_bytes(member[_DIGEST_BYTES:start]) + _FIRST_INSTANT
    end = member.index(0, start)
    while member[end + 1 : end + 2] == b"\xff":
        end = member.index(0, end + 1)
    task_id = member[start:end].replace(b"\0\xff", b"\0").decode(errors="surrogatepass")
    return IndexEntry(Instant(at), task_id, member[end + 1 :].decode(errors="surrogatepass"))


def range_of(wanted: IndexPage) -> MemberRange:
    """Where the members of a page lie."""
    digest = _digest(wanted.name, wanted.value)
    whole = MemberRange(
        digest if wanted.since is None else digest + _time(wanted.since),
        digest + (_AFTER_ALL if wanted.until is None else _time(wanted.until)),
    )
    if wanted.after is None:
        return whole
    after = _member(digest, wanted.after.at, wanted.after.task_id, wanted.after.ref)
    return whole.beyond(after, newest_first=wanted.newest_first)


def sweep_range(before: Instant) -> MemberRange:
    """Where the members of the rows lie that were to be swept by then."""
    return MemberRange(_SWEEP, _SWEEP + _time(Instant(before + 1)))


def _member(digest: bytes, at: Instant, task_id: str, ref: str) -> bytes:
    task = task_id.encode(errors="surrogatepass")
    if b"\0" in task:
        task = task.replace(b"\0", b"\0\xff")
    return b"%b%b%b\0%b" % (digest, _time(at), task, ref.encode(errors="surrogatepass"))


def _time(at: Instant) -> bytes:
    return (at - _FIRST_INSTANT).to_bytes(_TIME_BYTES)


@lru_cache(maxsize=8192)
def _digest(name: str, value: str) -> bytes:
    told = name.encode(errors="surrogatepass")
    text = b"%d:%b%b" % (len(told), told, value.encode(errors="surrogatepass"))
    return hashlib.sha256(text).digest()[:_DIGEST_BYTES]
