"""From tasks' streams to rows: reads whole streams, several at a time, and folds them.

Owns how much is read at once, and that folding holds nobody up: much of it goes to a thread. Writes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

import anyio
import anyio.lowlevel
import anyio.to_thread
from msgspec import Struct, field
from msgspec.structs import replace

from relayna.clock import Clock
from relayna.errors import StoreError
from relayna.instants import Instant
from relayna.observability.read_models.rows import row_of
from relayna.observability.run_records.records_of import record_of
from relayna.observability.run_records.retention import RunRetention
from relayna.projections.chosen_kind import chosen_kind
from relayna.projections.execution import GraphQuery
from relayna.projections.lineage.run_edges import RunLineage
from relayna.projections.lineage.run_lineage import own_lineage
from relayna.projections.projection import Item
from relayna.projections.task_summary import TASK_SUMMARY, TaskAccount, account_and_run
from relayna.streams import KeyGrammar, Log, Replay, TaskAddress, replay
from relayna.streams.log import DEFAULT_OPEN_RETENTION_SECONDS, StreamState
from relayna.streams.outcomes import Trouble, ruling
from relayna.streams.read_models import Row
from relayna.topologies import Topology, topology_kind

__all__ = ["Folded", "TaskFolder", "each_at_once"]

_logger = logging.getLogger("relayna.observability")

_ENTRIES_AT_ONCE: Final = 5_000
_EVENTS_IN_THE_LOOP: Final = 200
_SPARE_MICROS: Final = 1_000_000
"""Rows outlive their streams by so much, so that a row is swept once the stream is surely gone."""


_WITHOUT_EXPIRY_MS: Final = DEFAULT_OPEN_RETENTION_SECONDS * 1_000
"""Of a stream that somebody has made permanent; its row is looked at again after so long."""


class Folded(Struct, kw_only=True):
    """What became of some tasks."""

    rows: list[Row] = field(default_factory=list)
    removed: list[TaskAddress] = field(default_factory=list)
    """Nothing is recorded of them any more."""
    failed: list[TaskAddress] = field(default_factory=list)
    """Their streams could not be read or folded, which is not going to change by trying again."""
    micros: dict[TaskAddress, int] = field(default_factory=dict)
    """How long each took, reading and folding; those that were folded together share."""

    def by_shard(self, keys: KeyGrammar) -> dict[int, Folded]:
        """The same, a shard at a time."""
        parts: dict[int, Folded] = {}

        def part(address: TaskAddress) -> Folded:
            return parts.setdefault(keys.shard_of(address), Folded())

        for row in self.rows:
            part(row.address).rows.append(row)
        for address in self.removed:
            part(address).removed.append(address)
        for address in self.failed:
            part(address).failed.append(address)
        return parts


class TaskFolder:
    """Reads from one log, which must be open. With `topology`, rows say that kind and know its terminal statuses.

    Rows carry their run's record, to be kept for as long as `retention` says.
    """

    def __init__(
        self,
        log: Log,
        *,
        clock: Clock,
        topology: Topology | None = None,
        retention: RunRetention | None = None,
    ) -> None:
        self._log = log
        self._clock = clock
        self._query = GraphQuery(terminal_statuses=() if topology is None else topology.terminal_statuses)
        self._retention = retention or RunRetention()
        self._kind = None if topology is None else topology_kind(topology)

    async def fold(self, addresses: Sequence[TaskAddress]) -> Folded:
        """The rows of these tasks. Raises `StoreError` when it is the store's trouble and not a task's."""
        folded = Folded()
        states = dict(zip(addresses, await self._log.states(addresses), strict=True))
        folded.removed += [address for address, state in states.items() if state.last_id is None]
        for some in _portions(states):
            began = self._clock.now()
            for reading in await self._read(some, folded):
                await self._fold_one(reading, states[reading.address], folded)
            took = self._clock.now() - began
            folded.micros.update((address, took // len(some)) for address in some)
        return folded

    async def _read(self, addresses: Sequence[TaskAddress], folded: Folded) -> list[Replay]:
        try:
            return await replay(self._log, addresses)
        except StoreError as error:
            if ruling(error).trouble is Trouble.STORE:
                raise
            if len(addresses) > 1:  # one stream that is none must not take the others with it
                return [reading for one in addresses for reading in await self._read([one], folded)]
            _logger.warning("Task %r cannot be read for lists: %s", addresses[0].task_id, error)
            folded.failed.append(addresses[0])
            return []

    async def _fold_one(self, reading: Replay, state: StreamState, folded: Folded) -> None:
        if not reading.events or reading.last_id is None:
            folded.removed.append(reading.address)
            return
        work = partial(self._account, reading)
        try:
            if len(reading.events) > _EVENTS_IN_THE_LOOP:
                account, lineage = await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
            else:
                account, lineage = work()
                await anyio.lowlevel.checkpoint()
        except Exception:  # one task's history must not stop the lists of all others
            _logger.exception("Task %r cannot be folded for lists", reading.address.task_id)
            folded.failed.append(reading.address)
            return
        kept_ms = _WITHOUT_EXPIRY_MS if state.expires_in_ms is None else state.expires_in_ms
        kept_micros = kept_ms * 1_000 + _SPARE_MICROS
        expires_at = Instant(self._clock.now() + kept_micros)
        row = row_of(account, reading.address, reading.last_id, expires_at=expires_at)
        run = record_of(lineage, reading.address, retention=self._retention, stream_ends=expires_at)
        folded.rows.append(replace(row, run=run))

    def _account(self, reading: Replay) -> tuple[TaskAccount, RunLineage]:
        state = TASK_SUMMARY.initial(reading.address.task_id)
        items: list[Item] = [*reading.events, *reading.facts]
        for item in items:
            TASK_SUMMARY.apply(state, item)
        account, run = account_and_run(state, self._query)
        lineage = own_lineage(run, state, self._query)
        if self._kind is not None:
            kind = chosen_kind((), configured=self._kind)
            account = replace(account, summary=replace(account.summary, topology_kind=kind))
        return account, lineage


async def each_at_once(write: Callable[[int, Folded], Awaitable[None]], parts: Mapping[int, Folded]) -> None:
    """Have each shard's part written, all at the same time: what they ask of a store travels together.

    Raises the first `StoreError` when all others are written.
    """
    failures: list[StoreError] = []

    async def one(shard: int, part: Folded) -> None:
        try:
            await write(shard, part)
        except StoreError as error:
            failures.append(error)

    async with anyio.create_task_group() as together:
        for shard, part in parts.items():
            together.start_soon(one, shard, part)
    if failures:
        raise failures[0]


def _portions(states: dict[TaskAddress, StreamState]) -> Iterator[list[TaskAddress]]:
    """What is read at once: so many entries, or one stream that has more."""
    portion: list[TaskAddress] = []
    entries = 0
    for address, state in states.items():
        if state.last_id is None:
            continue
        if portion and entries + state.length > _ENTRIES_AT_ONCE:
            yield portion
            portion, entries = [], 0
        portion.append(address)
        entries += state.length
    if portion:
        yield portion
