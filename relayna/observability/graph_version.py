"""Versions of graphs: short tokens that say which question was asked, and what the streams held.

Owns the spelling of tokens: base64url of MessagePack, with the positions of up to 32 streams and a digest of
all others. Equal answers from equal streams have equal tokens in every process. Tokens come back from
clients, so reading one never raises, whatever its bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from relayna.ids import StreamId, TaskId, stream_position
from relayna.instants import Instant
from relayna.projections.graph import ExecutionGraph
from relayna.streams import StreamState, TaskAddress

__all__ = [
    "GraphVersion", "StreamPosition", "VersionedGraph", "make_version", "parse_version", "position_of",
    "question_digest", "task_digest",
]  # fmt: skip

_SCHEMA: Final = 1
_STREAMS_LISTED: Final = 32
_NAMES_LISTED_BYTES: Final = 1_600
"""Tokens travel in headers and URLs; long task ids are left to the digest."""
_LONGEST_TOKEN: Final = 4_096
_DIGEST_BYTES: Final = 12

_Digest = Annotated[bytes, Meta(min_length=_DIGEST_BYTES, max_length=_DIGEST_BYTES)]
_LATEST: Final = 2**63 - 1
_Count = Annotated[int, Meta(ge=0, le=_LATEST)]


class StreamPosition(Struct, frozen=True, gc=False):
    """What a stream held: everything up to its last id but what had gone from it. None where there is none."""

    address: TaskAddress
    last_id: StreamId | None
    gone: int = 0
    """Entries that had been trimmed or deleted."""


class VersionedGraph(Struct, frozen=True, kw_only=True):
    """A graph, and what it was read from. Callers that ask at the same time may be given the same one."""

    version: str
    """Equal for equal answers from equal streams: an ETag without its quotes, and the id of a live event."""
    graph: ExecutionGraph
    streams: tuple[tuple[TaskAddress, StreamId | None], ...]
    """Every stream it was read from, and its last id; None for one that was not there."""


class _Listed(Struct, frozen=True, array_like=True, gc=False):
    """One stream; the root's name is left out, for the question has it."""

    task_id: str | None
    milliseconds: _Count | None
    counter: _Count
    gone: _Count


class _Token(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    schema: int
    question: _Digest
    task: _Digest
    changes_at: _Count | None
    listed: Annotated[tuple[_Listed, ...], Meta(min_length=1, max_length=_STREAMS_LISTED)]
    others: _Digest | None


class GraphVersion(Struct, frozen=True, kw_only=True):
    """What a token says."""

    question: bytes
    """A digest of everything that was asked."""
    task: bytes
    """A digest of whose graph it is."""
    changes_at: Instant | None
    """From when on the same streams give another answer, for time alone tells missing from expired."""
    listed: tuple[tuple[TaskId | None, StreamId | None, int], ...]
    """Task (None for the root), last id and entries gone, of the streams that the token names."""
    others: bytes | None
    """A digest of those that it does not name; None when it names them all."""


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Token)


def position_of(address: TaskAddress, state: StreamState) -> StreamPosition:
    """What the stream holds now, from its state."""
    if state.last_id is None:
        return StreamPosition(address, None)
    return StreamPosition(address, state.last_id, max(0, state.entries_added - state.length))


def task_digest(address: TaskAddress) -> bytes:
    """Stands for a task and its tenant in tokens."""
    return _digest((address.tenant, address.task_id))


def question_digest(asked: object) -> bytes:
    """Stands for a question in tokens: plain data that equal questions have equal."""
    return _digest(asked)


def make_version(
    question: bytes, positions: Sequence[StreamPosition], *, changes_at: Instant | None = None
) -> str:
    """The token of an answer to the question of this digest, from streams at these positions, the root's first."""
    listed: list[_Listed] = []
    size = 0
    for position in positions[:_STREAMS_LISTED]:
        size += len(position.address.task_id.encode()) if listed else 0
        if size > _NAMES_LISTED_BYTES:
            break
        listed.append(_listed(position, is_root=not listed))
    others = [(other.address.task_id, other.last_id, other.gone) for other in positions[len(listed) :]]
    token = _Token(
        schema=_SCHEMA,
        question=question,
        task=task_digest(positions[0].address),
        changes_at=None if changes_at is None else max(0, min(changes_at, _LATEST)),
        listed=tuple(listed),
        others=_digest(others) if others else None,
    )
    return _spelled(token)


def parse_version(token: str) -> GraphVersion | None:
    """What a token says; nothing when it is none of this release. Never raises."""
    if len(token) > _LONGEST_TOKEN:
        return None
    try:
        read = _decoder.decode(
            base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        )
        if read.schema != _SCHEMA or not all(map(_is_sound, read.listed)) or _spelled(read) != token:
            return None
    except (binascii.Error, msgspec.DecodeError, RecursionError, ValueError, OverflowError):
        return None
    return GraphVersion(
        question=read.question,
        task=read.task,
        changes_at=None if read.changes_at is None else Instant(read.changes_at),
        listed=tuple(
            (
                None if one.task_id is None else TaskId(one.task_id),
                None if one.milliseconds is None else StreamId(f"{one.milliseconds}-{one.counter}"),
                one.gone,
            )
            for one in read.listed
        ),
        others=read.others,
    )


def _listed(position: StreamPosition, *, is_root: bool) -> _Listed:
    task_id = None if is_root else position.address.task_id
    if position.last_id is None:
        return _Listed(task_id, None, 0, 0)
    return _Listed(task_id, *stream_position(position.last_id), position.gone)


def _is_sound(one: _Listed) -> bool:
    return one.milliseconds is not None or one.counter == one.gone == 0


def _spelled(token: _Token) -> str:
    return base64.urlsafe_b64encode(_encoder.encode(token)).rstrip(b"=").decode()


def _digest(value: object) -> bytes:
    return hashlib.sha256(_encoder.encode(value)).digest()[:_DIGEST_BYTES]
