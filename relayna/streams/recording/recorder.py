"""The recorder: takes facts from whoever observes, and sees to it that they are stored or confessed lost.

Owns what is recorded with a fact (its references in a parent's stream), the bounds of what is held, and
who uses it. Never makes a caller of `record` wait or fail; how events get to the log is the flusher's.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from types import TracebackType
from typing import Self

from relayna.clock import Clock, SystemClock
from relayna.errors import RecorderClosed
from relayna.events import (
    DEFAULT_REDACTION,
    TERMINAL_STATUSES,
    ChildRegistered,
    Event,
    RecordedEvent,
    Redact,
)
from relayna.events.redaction import masked_by
from relayna.ids import EventId, TaskId, Tenant
from relayna.mint import Mint, RandomMint
from relayna.signals import Counters, ForwardedMeasures, Measures, have_report
from relayna.streams.forking import after_fork
from relayna.streams.keys import DEFAULT_TENANT, TaskAddress, checked_tenant
from relayna.streams.log import Log
from relayna.streams.recording.backoff import Backoff
from relayna.streams.recording.buffer import Admission, Buffer
from relayna.streams.recording.flush_policy import FlushPolicy
from relayna.streams.recording.flusher import Flusher
from relayna.streams.recording.held import HeldEvent, hold, hold_unreadable, storable_task_id
from relayna.streams.recording.known_children import KnownChildren
from relayna.streams.recording.losses import Losses
from relayna.streams.recording.shedding import Shedding
from relayna.streams.references import ending, parent_of, registration
from relayna.streams.replay import replay
from relayna.streams.sink import Durability
from relayna.streams.spool import Spool

__all__ = ["Recorder"]

_HELD = Admission.HELD
_logger = logging.getLogger("relayna.recorder")


class Recorder:
    """An `ObservationSink` that writes into a log.

    Keep it open (`async with recorder`) while workers run; several may enter it, on one event loop,
    and the last to leave closes it and the log. What is recorded while it is not open is held.

    Over `max_events` or `max_bytes` held, observations are shed; statuses, dead letters and what
    closes an attempt are kept up to twice the bounds. What is shed is counted, and confessed by an
    `EventsLost` in its task's stream as soon as the log takes events again.

    With a `spool`, what the store does not take waits on disk, and nothing is shed while there is room
    for it. Give each recorder a spool of its own; its directory may be that of others.

    What was stored last, up to `window_bytes` and `window_seconds` of it, is kept and stored again when
    a fail-over of the store has lost it; what was lost and not kept is confessed too.
    """

    def __init__(
        self,
        log: Log,
        *,
        spool: Spool | None = None,
        tenant: str = DEFAULT_TENANT,
        clock: Clock | None = None,
        mint: Mint | None = None,
        redact: Redact | None = DEFAULT_REDACTION,
        counters: Counters | None = None,
        terminal_statuses: Collection[str] = TERMINAL_STATUSES,
        flush_events: int = 500,
        flush_bytes: int = 64 * 1024,
        flush_interval: float = 0.02,
        max_events: int = 10_000,
        max_bytes: int = 16 * 1024 * 1024,
        backoff: Backoff | None = None,
        refusal_limit: int = 8,
        window_bytes: int = 4 * 1024 * 1024,
        window_seconds: float = 60.0,
        close_deadline: float = 5.0,
    ) -> None:
        """Sizes are in events and encoded bytes, times in seconds. `redact` hides secrets before anything is held.

        Raises `InvalidSetting` for a tenant.
        """
        self._log, self._spool = log, spool
        self._tenant: Tenant = checked_tenant(tenant)
        self._clock = clock or SystemClock()
        self._mint = mint or RandomMint()
        self._measures = self._measured(counters)
        self._redact, self._terminal_statuses = redact, terminal_statuses
        self._max_events, self._max_bytes = max_events, max_bytes
        self._policy = FlushPolicy(
            flush_events=flush_events, flush_bytes=flush_bytes, flush_interval=flush_interval,
            backoff=backoff or Backoff(), refusal_limit=refusal_limit, close_deadline=close_deadline,
            window_bytes=window_bytes, window_seconds=window_seconds,
        )  # fmt: skip
        self._begin()
        after_fork(self._begin_in_child)

    def _begin(self) -> None:
        self._producer = self._mint.producer()
        self._buffer = Buffer(max_events=self._max_events, max_bytes=self._max_bytes)
        self._losses = Losses(self._measures)
        self._shedding = Shedding(self._losses, self._tenant)
        self._known_children = KnownChildren()
        self._flusher: Flusher | None = None
        self._users = 0

    def _begin_in_child(self) -> None:
        # The parent still stores what it holds. Its flusher is kept alive here, as it stands: collected,
        # it would give all of that up.
        self._flusher_of_parent = self._flusher
        self._begin()

    @property
    def producer(self) -> str:
        """The name of this process among all that write."""
        return self._producer

    @property
    def buffered_events(self) -> int:
        """Events that are recorded and not stored yet."""
        return self._buffer.held_events

    @property
    def buffered_bytes(self) -> int:
        """Their encoded size."""
        return self._buffer.held_bytes

    def report_to(self, measures: Measures) -> None:
        """Report there, as do its spool and its log, each unless it was told where when it was made."""
        have_report((self._measures, self._spool, self._log), measures)

    def record(self, event: Event, *, topology_kind: str | None = None) -> None:
        """Take a fact, and what it leaves in its parent's stream. Never blocks and never raises.

        Callable from any thread. `topology_kind` travels with the frame, so that a graph needs no
        configuration.
        """
        try:
            self._keep(hold(event, topology_kind, self._redact, self._terminal_statuses))
            parent = parent_of(event)
            if parent is not None:
                self._refer(event, parent)
            elif isinstance(event.body, ChildRegistered):
                self._known_children.is_new(event.envelope.task_id, event.body.child_task_id)
        except Exception as error:  # noqa: BLE001 - recording never fails a handler, whatever it is handed
            self._lose_unreadable(event, error)

    async def durable(self, *, budget_seconds: float = 0.25) -> Durability:
        """Flush at once and wait, at most for the budget, until all that was recorded so far is stored.

        With a spool, until it is on disk when the store does not answer in half of the budget; without
        one, does not wait while the store is known to be down. Raises `RecorderClosed`.
        """
        flusher = self._flusher
        if flusher is None or not self._users:
            raise RecorderClosed
        where = await flusher.flush(budget_seconds)
        if self._losses.take_news():
            self._shedding.tell()
            return Durability.LOST
        return where

    async def read(self, task_id: TaskId) -> Sequence[RecordedEvent]:
        """What the task's stream holds, in the log's order, each event id once. Raises `StoreError`.

        Reads the log only: call `durable` first to find what was just recorded.
        """
        address = TaskAddress(storable_task_id(task_id), self._tenant)
        [replayed] = await replay(self._log, [address])
        first: dict[EventId, RecordedEvent] = {}
        for event in replayed.events:
            first.setdefault(event.envelope.event_id, event)
        return list(first.values())

    async def __aenter__(self) -> Self:
        """Open it for one more user. A store that does not answer is tried again in the background.

        Raises what else opening the log raises, such as `ShardCountMismatch`.
        """
        while self._flusher is not None and self._flusher.ending:
            await self._leave(self._flusher)
        if self._flusher is None:
            self._flusher = Flusher(
                self._log,
                self._buffer,
                self._losses,
                tenant=self._tenant,
                producer=self._producer,
                clock=self._clock,
                counters=self._measures,
                policy=self._policy,
                spool=self._spool,
                beside=self._shedding.run,
            )
        self._users += 1
        try:
            await self._flusher.opened()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave; the last user flushes with a deadline and closes. What is left then goes to the program's log."""
        self._users -= 1
        if not self._users and self._flusher is not None:
            await self._leave(self._flusher)

    async def _leave(self, flusher: Flusher) -> None:
        await flusher.end()
        self._shedding.tell()
        if self._flusher is flusher:
            self._flusher = None

    def _keep(self, held: HeldEvent) -> None:
        admission = self._buffer.put(held)
        if admission is _HELD:
            return
        if admission is Admission.HELD_AND_DUE:
            self._wake()
            return
        self._shedding.shed(held)

    def _wake(self) -> None:
        flusher = self._flusher
        if flusher is None:
            _logger.warning("Recorded after the last user left the recorder: held until it is entered again")
        else:
            flusher.wake()

    def _measured(self, counters: Counters | None) -> ForwardedMeasures:
        measures = ForwardedMeasures(counters)
        measures.watch("relayna_record_buffer_events", self._read_buffer)
        measures.watch("relayna_store_up", self._read_store)
        return measures

    def _read_buffer(self) -> float:
        return self._buffer.held_events

    def _read_store(self) -> float | None:
        return None if self._flusher is None else float(not self._flusher.is_store_away())

    def _refer(self, event: Event, parent: TaskId) -> None:
        if self._known_children.is_new(parent, event.envelope.task_id):
            self._keep(hold(registration(event, parent, self._producer), None, self._redact))
        end = ending(event, parent, self._terminal_statuses)
        if end is not None:
            self._keep(hold(end, None, self._redact))

    def _lose_unreadable(self, event: object, error: Exception) -> None:
        problem = masked_by(self._redact, str(error))
        _logger.error("An event cannot be recorded: %s: %s", type(error).__name__, problem)
        unreadable = hold_unreadable(event)
        if unreadable is None:
            self._losses.count(type(event), "unreadable")
            return
        self._losses.add(unreadable, "unreadable")
        if self._flusher is not None:
            self._flusher.ask()  # nothing else may come that would carry the confession
