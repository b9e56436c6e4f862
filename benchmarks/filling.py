"""Filling a store with tasks faster than they could be recorded and folded: by the product's own bytes.

Owns how. Twenty tasks are recorded, folded and kept by the product, in memory. What the store gets of all others says
the same of other ids and times: frames as the codec made them, with ids of the same length in place; rows, entries of
the index and run records through the functions that write them. Left out is what a store does not have any more of
tasks that ended an hour ago: references in the feed. Eight events lie in one frame; leaves of the index are as full as
they are written first, not as after many additions; and weeks of run records are laid out as by a week before that was
like them.
"""

from __future__ import annotations

import multiprocessing
import re
import socket
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Final, Self
from urllib.parse import urlsplit

import anyio
import hiredis
from msgspec import Struct
from msgspec.structs import replace

from benchmarks.tasks import TOPOLOGY_KIND, MadeTask, made_task, steps_of
from relayna.clock import FrozenClock
from relayna.events import encode_event, encode_frame
from relayna.ids import StreamId, TaskId
from relayna.instants import Instant
from relayna.observability.read_models import Indexer
from relayna.observability.read_models.terms import FOLD_VERSION
from relayna.streams import DEFAULT_TENANT, Append, KeyGrammar, MemoryLog, TaskAddress
from relayna.streams.memory_read_models import MemoryReadModels
from relayna.streams.read_model_changes import RowChange, TenantChanges, changes_by_tenant
from relayna.streams.read_models import Checkpoint, IndexTerm, Lease, Row
from relayna.streams.redis.commands import pack
from relayna.streams.redis.index_leaves import LeafChanges, leaf_changes
from relayna.streams.redis.read_models_writing import FencedCall
from relayna.streams.redis.replies import Command
from relayna.streams.redis.run_records_values import Directory
from relayna.streams.redis.run_records_writing import RunChanges, first_parts, fitting_parts, weeks_to_begin
from relayna.streams.redis.script import load_script
from relayna.streams.run_records import StoredRun

__all__ = ["fill", "filled_task"]

_KINDS: Final = 20
"""After so many tasks the next is of the first's queue, and fails as it does."""
_PROCESSES: Final = 2
_FEW: Final = 10_000
"""Starting processes takes longer."""
_AT_ONCE: Final = 200
_AGO: Final = 2 * 3_600_000_000
_WEEK_MS: Final = 604_800_000
_DAY: Final = 86_400_000_000

_STORE_SEALED: Final = """
for number = 1, #KEYS - 1 do
  redis.call('XADD', KEYS[number], ARGV[2 * number], 'f', ARGV[2 * number + 1])
  redis.call('PEXPIRE', KEYS[number], ARGV[1])
  redis.call('COPY', KEYS[number], KEYS[#KEYS], 'REPLACE')
  redis.call('RENAME', KEYS[#KEYS], KEYS[number])
end
"""


class _Cut(Struct, frozen=True):
    """Bytes that tell of a task, cut at its ids and times."""

    literals: Sequence[bytes]
    fields: Sequence[int]
    """Between the literals: µs since the task was born, or an id, counted from -1 down."""
    is_text: bool = True
    """Whether ids are told as text, and not as the bytes that their digits are."""

    def told(self, task: MadeTask) -> bytes:
        """The same of another task."""
        ids = _ids(task) if self.is_text else _packed_ids(task)
        parts = [self.literals[0]]
        for field, literal in zip(self.fields, self.literals[1:], strict=True):
            parts.append(ids[-1 - field] if field < 0 else b"\xcf" + (task.born + field).to_bytes(8))
            parts.append(literal)
        return b"".join(parts)


class _Sample(Struct, frozen=True):
    """A task as the product has it."""

    task: MadeTask
    frame: _Cut
    data: _Cut
    """Of its row."""
    record: _Cut
    """Of its run."""
    row: Row
    run: StoredRun


def filled_task(number: int, *, now: Instant) -> MadeTask:
    """The task of this number in a store that was filled then."""
    return made_task(number, born=Instant(now - _AGO), readable=True)


def fill(url: str, prefix: str, count: int, *, now: Instant) -> None:
    """Have a store hold so many tasks, and read models that follow the feeds of all shards."""
    shards = KeyGrammar(prefix).shard_count
    if count <= _FEW:
        _fill_shards(url, prefix, count, range(shards), now)
        return
    with ProcessPoolExecutor(_PROCESSES, mp_context=multiprocessing.get_context("spawn")) as processes:
        halves = [
            processes.submit(_fill_shards, url, prefix, count, range(part, shards, _PROCESSES), now)
            for part in range(_PROCESSES)
        ]
        for half in halves:
            half.result()


def _fill_shards(url: str, prefix: str, count: int, shards: Sequence[int], now: Instant) -> None:
    samples = anyio.run(_samples, now)
    keys = KeyGrammar(prefix)
    by_shard: dict[int, list[int]] = {shard: [] for shard in shards}
    for number in range(count):
        shard = keys.shard_of(TaskAddress(TaskId(f"order/2026/{number:07}")))
        if shard in by_shard:
            by_shard[shard].append(number)
    with RawConnection(url) as connection:
        for shard, numbers in by_shard.items():
            tasks = [filled_task(number, now=now) for number in numbers]
            connection.send(_commands(keys, shard, tasks, samples))


def _commands(
    keys: KeyGrammar, shard: int, tasks: Sequence[MadeTask], samples: Sequence[_Sample]
) -> Iterator[Command]:
    """All that makes a shard hold these tasks."""
    rows = [_row_of(task, samples[task.number % _KINDS]) for task in tasks]
    runs = [_run_of(task, samples[task.number % _KINDS]) for task in tasks]
    records = RunChanges(keys, shard, DEFAULT_TENANT, Directory())
    for week in weeks_to_begin(runs, {}):
        parts = first_parts(keys.shard_count)
        records.begin(week, fitting_parts(parts, [len(runs) // parts]))
    members: set[bytes] = set()
    revision = 0
    for start in range(0, len(tasks), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        yield _sealed_streams(keys, shard, tasks[some], samples)
        changed = changes_by_tenant(RowChange(row.address, None, row) for row in rows[some])[DEFAULT_TENANT]
        places = {run.address.task_id: records.take(run, None) for run in runs[some]}
        call = _call(keys, shard, revision)
        call.change(DEFAULT_TENANT, changed, LeafChanges(), places)
        yield _evaluated(call)
        members |= changed.added
        revision += 1
    leaves = sorted(leaf_changes([], members, ()).added)
    for start in range(0, len(leaves), _AT_ONCE):
        call = _call(keys, shard, revision)
        until = TenantChanges(kept_until=max(row.expires_at for row in rows))
        call.change(DEFAULT_TENANT, until, LeafChanges(added=set(leaves[start : start + _AT_ONCE])), {})
        yield _evaluated(call)
        revision += 1
    call = _call(keys, shard, revision)
    call.runs(records)
    call.checkpoint(Checkpoint(fold_version=FOLD_VERSION), feed_kept_ms=0)
    yield _evaluated(call)


def _call(keys: KeyGrammar, shard: int, revision: int) -> FencedCall:
    return FencedCall(keys, Lease(shard, ""), revision=b"%d" % revision if revision else b"")


def _evaluated(call: FencedCall) -> Command:
    told = call.call()
    return ("EVAL", load_script("fenced.lua").source, len(told.keys), *told.keys, *told.arguments)


def _sealed_streams(
    keys: KeyGrammar, shard: int, tasks: Sequence[MadeTask], samples: Sequence[_Sample]
) -> Command:
    names = [keys.events(TaskAddress(task.task_id)) for task in tasks]
    told: list[bytes | str | int] = [_WEEK_MS]
    for task in tasks:
        told += (_version(task), samples[task.number % _KINDS].frame.told(task))
    return ("EVAL", _STORE_SEALED, len(names) + 1, *names, keys.sealing(shard), *told)


def _row_of(task: MadeTask, sample: _Sample) -> Row:
    later, row = task.born - sample.task.born, sample.row
    texts = dict(zip(map(bytes.decode, _ids(sample.task)), map(bytes.decode, _ids(task)), strict=True))
    terms = (
        IndexTerm(
            term.name,
            texts.get(term.value, term.value),
            Instant(term.at + later),
            texts.get(term.ref, term.ref),
        )
        for term in row.terms
    )
    days = task.born // _DAY - sample.task.born // _DAY
    counts = (
        row.counts if not days else {replace(key, day=key.day + days): row.counts[key] for key in row.counts}
    )
    return Row(
        address=TaskAddress(task.task_id),
        version=_version(task),
        data=sample.data.told(task),
        terms=frozenset(terms),
        counts=counts,
        expires_at=Instant(row.expires_at + later),
    )


def _run_of(task: MadeTask, sample: _Sample) -> StoredRun:
    later = task.born - sample.task.born
    return replace(
        sample.run,
        address=TaskAddress(task.task_id),
        session_id=task.session_id or task.task_id,
        began=Instant(sample.run.began + later),
        expires_at=Instant(sample.run.expires_at + later),
        data=sample.record.told(task),
    )


async def _samples(now: Instant) -> list[_Sample]:
    """The first tasks, recorded and folded."""
    tasks = [filled_task(number, now=now) for number in range(_KINDS)]
    log = MemoryLog(clock=FrozenClock(now))
    models = MemoryReadModels(log, clock=FrozenClock(now))
    frames = [_frame_of(task) for task in tasks]
    addresses = [TaskAddress(task.task_id) for task in tasks]
    async with log:
        await log.append([Append(one, frame) for one, frame in zip(addresses, frames, strict=True)])
        await Indexer(log=log, read_models=models, clock=FrozenClock(now)).catch_up()
        rows = await models.rows(addresses)
        runs = [await models.run_records.of_run(address) for address in addresses]
    return [
        _Sample(task, _cut(frame, task), _cut(row.data, task), _cut(run.data, task, is_text=False), row, run)
        for task, frame, row, run in zip(tasks, frames, rows, runs, strict=True)
        if row is not None and run is not None
    ]


def _frame_of(task: MadeTask) -> bytes:
    events = [encode_event(event) for step in steps_of(task) for event in step]
    return encode_frame(task.task_id, TOPOLOGY_KIND, task.born // 1_000, events)


def _cut(data: bytes, task: MadeTask, *, is_text: bool = True) -> _Cut:
    ids = _ids(task) if is_text else _packed_ids(task)
    literals, fields, at = [], [], 0
    for found in re.finditer(b"|".join(map(re.escape, ids)) + rb"|\xcf\x00\x06(?s:.{6})", data):
        told = found.group()
        literals.append(data[at : found.start()])
        fields.append(-1 - ids.index(told) if told in ids else int.from_bytes(told[1:]) - task.born)
        at = found.end()
    return _Cut([*literals, data[at:]], fields, is_text)


def _ids(task: MadeTask) -> tuple[bytes, ...]:
    texts = (task.task_id, task.message_id, *task.attempts, task.session_id or "", task.correlation_id or "")
    return tuple(text.encode() for text in texts)


def _packed_ids(task: MadeTask) -> tuple[bytes, ...]:
    return tuple(map(bytes.fromhex, (task.message_id, *task.attempts)))


def _version(task: MadeTask) -> StreamId:
    return StreamId(f"{task.born // 1_000}-0")


class RawConnection:
    """A connection that sends commands ahead of their replies, and looks at these for errors alone."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._socket = socket.create_connection((address.hostname or "", address.port or 0))
        self._replies = hiredis.Reader()

    def send(self, commands: Iterable[Command]) -> None:
        """Have them carried out. Raises `RuntimeError` for one that is refused."""
        ahead = 0
        for command in commands:
            self._socket.sendall(pack([command]))
            ahead += 1
            if ahead > 1:
                self._receive()
                ahead -= 1
        for _ in range(ahead):
            self._receive()

    def _receive(self) -> None:
        while (reply := self._replies.gets()) is False:
            self._replies.feed(self._socket.recv(65_536))
        if isinstance(reply, hiredis.ReplyError) or reply in {b"overtaken", b"lease_lost"}:
            raise RuntimeError(f"the store refused what it was filled with: {reply!r:.200}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
