"""Runs and the edges that led to them as bytes of a record, and back.

Owns the layout, of which nothing of a run or an edge is lost; costs and tokens are never less than nothing. A record
begins with what many have in common: the layout's version, the agent, the workflow, and who ended it. Times are told
from when the run began, ids as few bytes as they hold, and a source that is the run or its session not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

from relayna.instants import Instant
from relayna.observability.run_records.event_ids import read_event_id, write_event_id
from relayna.projections.lineage.run_edges import BIRTH_KINDS, EDGE_KINDS, Run, RunEdge
from relayna.streams.packing import PackedReader, PackedWriter, packed_id
from relayna.streams.run_records import StoredRun

__all__ = ["KeptRun", "ParentsWord", "Record", "decode_run", "encode_run"]

_PLAIN, _ENDED_BY_ANOTHER = 1, 2
"""Versions of the layout: the second names who ended what another began. Both are read; most runs need the first."""

_STATUSES: Final = (None, "completed", "failed", "dead_lettered", "running", "cancelled", "abandoned")
_OTHER_STATUS: Final = 7
_RUN_ID, _SESSION, _STARTED, _ENDED, _DECISIONS = (1 << bit for bit in range(5))
_STATUS_BIT: Final = 5

_FROM_OUTSIDE, _FROM_ITSELF, _FROM_SESSION, _FROM_ID = range(4)
"""Where an edge comes from; beyond the last by the kind of the packed id."""
_SOURCE_BIT: Final = 4
_MORE: Final = 1 << 7
_OTHER_BIRTH, _OTHER_SESSION, _VARIANT, _LABEL, _METADATA, _COST, _TOKENS, _GROUP = (
    1 << bit for bit in range(8)
)
_ELSEWHERE: Final = 0xE
"""In place of a kind: the edge that follows leads to another run, which is named first."""
_WORD: Final = 0xF
"""In place of a kind: what follows is no edge, but a parent's word."""

_Names: TypeAlias = tuple[str | None, str | None, str | None]
"""Agent, workflow, and who ended it if that is another."""


class ParentsWord(Struct, frozen=True):
    """What the history of a run tells of an edge from it that the target's own history does not."""

    edge_id: str
    variant: str | None
    label: str | None
    group_key: str | None


class KeptRun(Struct, frozen=True):
    """One run, the edges that lead to it, and those that lead from it to where its session does not reach."""

    run: Run
    edges: Sequence[RunEdge]
    words: Sequence[ParentsWord] = ()
    """Of edges that lead from it."""


class Record(Struct, frozen=True):
    """The bytes of a record, and how many of them many records have in common."""

    data: bytes
    heading: int


def encode_run(kept: KeptRun, *, task_id: str, session_id: str, began: Instant) -> Record:
    """What is stored of a run under this task and session."""
    writer = PackedWriter()
    run = kept.run
    writer.number(_PLAIN if run.ended_by is None else _ENDED_BY_ANOTHER)
    for name in (run.agent, run.workflow, run.ended_by)[: 2 if run.ended_by is None else 3]:
        _write_name(writer, name)
    heading = len(writer.data)
    _write_run(writer, run, task_id=task_id, session_id=session_id, began=began)
    last = began
    for edge in kept.edges:
        _write_edge(writer, edge, run, last)
        last = edge.at
    for word in kept.words:
        _write_word(writer, word)
    return Record(bytes(writer.data), heading)


def decode_run(stored: StoredRun) -> KeptRun | None:
    """The run that the record tells of; None when this version cannot read it."""
    try:
        return _decode(stored)
    except (ValueError, msgspec.DecodeError):
        return None


def _decode(stored: StoredRun) -> KeptRun:
    names, at = _read_heading(stored.data[: stored.heading] or stored.data)
    reader = PackedReader(stored.data, at)
    run = _read_run(reader, stored, names)
    edges: list[RunEdge] = []
    words: list[ParentsWord] = []
    last = stored.began
    while reader.at < len(stored.data):
        first = reader.byte()
        if first & 0xF == _WORD:
            words.append(_read_word(reader))
            continue
        target = run.run_id
        if first == _ELSEWHERE:
            target, first = reader.id(reader.byte()), reader.byte()
        edges.append(_read_edge(reader, first, target, run, last))
        last = edges[-1].at
    return KeptRun(run, edges, words)


def _write_run(writer: PackedWriter, run: Run, *, task_id: str, session_id: str, began: Instant) -> None:
    status = _STATUSES.index(run.status) if run.status in _STATUSES else _OTHER_STATUS
    flags = status << _STATUS_BIT
    flags |= _RUN_ID if run.run_id != task_id else 0
    flags |= _SESSION if run.session_id != session_id else 0
    flags |= _STARTED if run.started_at is not None else 0
    flags |= _ENDED if run.ended_at is not None else 0
    flags |= _DECISIONS if run.decisions else 0
    writer.data.append(flags)
    if flags & _RUN_ID:
        writer.text(run.run_id)
    if flags & _SESSION:
        writer.text(run.session_id)
    if status == _OTHER_STATUS:
        writer.text(run.status or "")
    last = began
    for at in (run.started_at, run.ended_at):
        if at is not None:
            writer.signed(at - last)
            last = at
    if run.decisions:
        writer.blob(msgspec.msgpack.encode(run.decisions))


def _read_run(reader: PackedReader, stored: StoredRun, names: _Names) -> Run:
    flags = reader.byte()
    run_id = reader.text() if flags & _RUN_ID else stored.address.task_id
    session_id = reader.text() if flags & _SESSION else stored.session_id
    code = flags >> _STATUS_BIT
    status = reader.text() if code == _OTHER_STATUS else _STATUSES[code]
    started = ended = None
    last: int = stored.began
    if flags & _STARTED:
        last = started = Instant(last + reader.signed())
    if flags & _ENDED:
        ended = Instant(last + reader.signed())
    decisions = _decode_object(reader.blob()) if flags & _DECISIONS else {}
    return Run(
        run_id=run_id,
        session_id=session_id,
        agent=names[0],
        workflow=names[1],
        ended_by=names[2],
        status=status,
        started_at=started,
        ended_at=ended,
        decisions=decisions,
    )


def _write_edge(writer: PackedWriter, edge: RunEdge, run: Run, last: Instant) -> None:
    if edge.target != run.run_id:
        kind, packed = packed_id(edge.target)
        writer.data += bytes((_ELSEWHERE, kind))
        writer.id(kind, packed)
    source, packed = _source(edge, run)
    more = _more(edge, run)
    writer.data.append(EDGE_KINDS.index(edge.kind) | source << _SOURCE_BIT | (_MORE if more else 0))
    if more:
        writer.data.append(more)
    write_event_id(writer, edge.edge_id)
    if source >= _FROM_ID:
        writer.id(source - _FROM_ID, packed)
    writer.signed(edge.at - last)
    if more & _OTHER_SESSION:
        writer.text(edge.session_id)
    _write_told(writer, more, edge)
    if more & _METADATA:
        writer.blob(msgspec.msgpack.encode(edge.metadata))
    for flag, number in ((_COST, edge.cost_attributed), (_TOKENS, edge.tokens_attributed)):
        if more & flag:
            writer.number(max(number, 0))


def _read_edge(reader: PackedReader, first: int, target: str, run: Run, last: Instant) -> RunEdge:
    more = reader.byte() if first & _MORE else 0
    code = first & 0xF
    if code >= len(EDGE_KINDS):
        raise ValueError(f"no kind of edge is {code}")
    kind = EDGE_KINDS[code]
    edge_id = read_event_id(reader)
    where = (first & ~_MORE) >> _SOURCE_BIT
    source = {_FROM_OUTSIDE: None, _FROM_ITSELF: run.run_id, _FROM_SESSION: run.session_id}.get(where)
    if where >= _FROM_ID:
        source = reader.id(where - _FROM_ID)
    at = Instant(last + reader.signed())
    return RunEdge(
        edge_id=edge_id,
        kind=kind,
        source=source,
        target=target,
        at=at,
        session_id=reader.text() if more & _OTHER_SESSION else run.session_id,
        is_birth=(kind in BIRTH_KINDS) is not bool(more & _OTHER_BIRTH),
        variant=reader.text() if more & _VARIANT else None,
        label=reader.text() if more & _LABEL else None,
        group_key=reader.text() if more & _GROUP else None,
        metadata=_decode_object(reader.blob()) if more & _METADATA else None,
        cost_attributed=reader.number() if more & _COST else 0,
        tokens_attributed=reader.number() if more & _TOKENS else 0,
    )


def _source(edge: RunEdge, run: Run) -> tuple[int, bytes]:
    if edge.source is None:
        return _FROM_OUTSIDE, b""
    if edge.source == run.run_id:
        return _FROM_ITSELF, b""
    if edge.source == run.session_id:
        return _FROM_SESSION, b""
    kind, packed = packed_id(edge.source)
    return _FROM_ID + kind, packed


def _more(edge: RunEdge, run: Run) -> int:
    """What there is to tell of an edge beside what every edge has."""
    told = (
        (_OTHER_BIRTH, edge.is_birth is not (edge.kind in BIRTH_KINDS)),
        (_OTHER_SESSION, edge.session_id != run.session_id),
        (_METADATA, edge.metadata is not None),
        (_COST, edge.cost_attributed > 0),
        (_TOKENS, edge.tokens_attributed > 0),
    )
    return _told(edge) | sum(flag for flag, is_told in told if is_told)


def _told(of: RunEdge | ParentsWord) -> int:
    told = ((_VARIANT, of.variant), (_LABEL, of.label), (_GROUP, of.group_key))
    return sum(flag for flag, text in told if text is not None)


def _write_told(writer: PackedWriter, told: int, of: RunEdge | ParentsWord) -> None:
    for flag, text in ((_VARIANT, of.variant), (_LABEL, of.label), (_GROUP, of.group_key)):
        if told & flag:
            writer.text(text or "")


def _write_word(writer: PackedWriter, word: ParentsWord) -> None:
    told = _told(word)
    writer.data += bytes((_WORD, told))
    write_event_id(writer, word.edge_id)
    _write_told(writer, told, word)


def _read_word(reader: PackedReader) -> ParentsWord:
    told = reader.byte()
    return ParentsWord(
        edge_id=read_event_id(reader),
        variant=reader.text() if told & _VARIANT else None,
        label=reader.text() if told & _LABEL else None,
        group_key=reader.text() if told & _GROUP else None,
    )


@lru_cache(maxsize=1_024)
def _read_heading(data: bytes) -> tuple[_Names, int]:
    """And where it ends. Few of these are different."""
    reader = PackedReader(data)
    if (version := reader.number()) not in (_PLAIN, _ENDED_BY_ANOTHER):
        raise ValueError("another version wrote it")
    agent, workflow = _read_name(reader), _read_name(reader)
    ended_by = _read_name(reader) if version == _ENDED_BY_ANOTHER else None
    return (agent, workflow, ended_by), reader.at


def _write_name(writer: PackedWriter, name: str | None) -> None:
    if name is None:
        writer.number(0)
        return
    data = name.encode(errors="surrogatepass")
    writer.number(len(data) + 1)
    writer.data += data


def _read_name(reader: PackedReader) -> str | None:
    size = reader.number()
    return None if size == 0 else reader.take(size - 1).decode(errors="surrogatepass")


_decode_object: Final = msgspec.msgpack.Decoder(dict[str, Any]).decode  # Any: JSON values
