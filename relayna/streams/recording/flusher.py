"""The one task that carries events from the buffer to the log, in batches, until it is told to end.

Owns when to flush, what to do with what the log answers, and the log's being open. Decides nothing
about what is recorded.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import anyio
from anyio.abc import TaskGroup

from relayna.clock import Clock
from relayna.errors import StoreError, StoreUnreachable
from relayna.ids import Tenant
from relayna.signals import Counters
from relayna.streams.keys import TaskAddress
from relayna.streams.log import Append, AppendResult, Log, NotAppended
from relayna.streams.recording.alarm import Alarm
from relayna.streams.recording.buffer import Admission, Buffer
from relayna.streams.recording.flush_policy import FlushPolicy
from relayna.streams.recording.held import SOURCES
from relayna.streams.recording.lanes import Lanes, PendingFrame, Settlement
from relayna.streams.recording.last_resort import write_last_resort
from relayna.streams.recording.losses import Losses
from relayna.streams.recording.outage import Outage
from relayna.streams.recording.promises import Promises

__all__ = ["Flusher"]

_BATCH: Final = 8
"""A batch that has piled up is at most this many times the size at which a flush is due."""
_HOPELESS_REFUSALS: Final = 2
"""A task refused so often while others are not is not waited for; the first may be a passing trouble."""
_BREAKER_FAILURES: Final = 3
"""After so many failures of the store in a row nobody is kept waiting for it."""

_logger = logging.getLogger("relayna.recorder")


class Flusher:
    """Carries events to the log. Make it in the event loop that it is to run in."""

    def __init__(
        self,
        log: Log,
        buffer: Buffer,
        losses: Losses,
        *,
        tenant: Tenant,
        producer: str,
        clock: Clock,
        counters: Counters,
        policy: FlushPolicy,
    ) -> None:
        self._log = log
        self._buffer = buffer
        self._losses = losses
        self._tenant = tenant
        self._producer = producer
        self._clock = clock
        self._counters = counters
        self._policy = policy
        self._lanes = Lanes(
            frame_events=policy.flush_events,
            frame_bytes=policy.flush_bytes,
            refusal_limit=policy.refusal_limit,
        )
        self._promises = Promises()
        self._due, self._end = Alarm(clock), Alarm(clock)
        self._ending = self._asked = False
        self._may_confess = True
        self._outage = Outage()
        self._failures = 0
        self._rounds_aside = 0
        self._bringing_back = False
        self._opened = asyncio.Event()
        self._opening_error: Exception | None = None
        self._scope = anyio.CancelScope()  # its deadline comes with the end
        # A task of its own, not of a task group: several users enter the recorder from different
        # tasks and leave in any order, so none of them can be the group's host.
        self._task = asyncio.create_task(self._run(), name="relayna.recorder")

    @property
    def ending(self) -> bool:
        """Whether it was told to end, or has."""
        return self._ending or self._task.done()

    async def opened(self) -> None:
        """Return when the log is open, or unreachable and being tried. Raises what opening it raised."""
        await self._opened.wait()
        if self._opening_error is not None:
            raise self._opening_error

    def wake(self) -> None:
        """Something is due. Callable from any thread."""
        self._due.ring()

    def ask(self) -> None:
        """Flush without waiting for more."""
        self._asked = True
        self._due.ring()

    async def flush(self, budget_seconds: float) -> bool:
        """Flush at once; whether all that was recorded is stored or given up within the budget."""
        self._confess()
        if not self._buffer.held_events:
            return True
        self.ask()
        if budget_seconds <= 0 or self._failures >= _BREAKER_FAILURES:
            return False
        promise = self._promises.make(self._buffer.recorded)
        with anyio.move_on_after(budget_seconds):
            return await promise
        return False

    async def end(self) -> None:
        """Flush until the deadline, give up the rest, close the log."""
        if not self._ending:
            self._ending = True
            self._failures = min(self._failures, 1)  # what was a long wait is now a quick last try
            self._lanes.bring_back()
            self._scope.deadline = anyio.current_time() + self._policy.close_deadline
            self._end.ring()
            self._due.ring()
        # The flusher's own task does the work, so it is done even when who waits here is cancelled.
        with anyio.CancelScope(shield=True):
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        log_is_open = False
        try:
            with self._scope:
                log_is_open = await self._open()
                if log_is_open:
                    await self._carry()
        except Exception:
            # Told where operators look: recording must not fail those who record.
            _logger.exception("The recorder stopped flushing: a mistake in relayna, please report it")
        finally:
            self._opened.set()
            if self._opening_error is None:
                self._give_up_the_rest()
            if log_is_open:
                await self._close_log()

    async def _open(self) -> bool:
        while True:
            try:
                await self._log.__aenter__()
            except StoreError as error:
                # Recording starts without the store, as it goes on without it.
                self._outage.began(error)
            except Exception as error:  # it belongs to whoever enters
                if not self._opened.is_set():
                    self._opening_error = error
                    return False
                _logger.exception("The log cannot be opened; recording goes on in memory")
            else:
                self._failures = 0
                self._outage.ended()
                self._opened.set()
                return True
            self._opened.set()
            self._failures += 1
            await self._back_off()

    async def _carry(self) -> None:
        async with anyio.create_task_group() as timers:
            while not (self._ending and not self._buffer.held_events and not self._losses):
                if self._failures:
                    await self._back_off()
                else:
                    await self._until_due()
                await self._flush(timers)
            timers.cancel_scope.cancel()

    async def _back_off(self) -> None:
        seconds = self._policy.backoff.seconds(self._failures)
        if self._ending:
            await self._clock.sleep(seconds)
        else:
            await self._end.wait_at_most(seconds)

    async def _until_due(self) -> None:
        if self._is_due():
            return
        self._due.silence()
        if not self._buffer.wake_at(1, 1):
            await self._due.wait()
        if self._is_due():
            return
        self._due.silence()
        if not self._buffer.wake_at(self._policy.flush_events, self._policy.flush_bytes):
            await self._due.wait_at_most(self._policy.flush_interval)

    def _is_due(self) -> bool:
        return (
            self._asked
            or self._lanes.any_ready
            or (self._may_confess and bool(self._losses))
            or (self._ending and (self._buffer.fresh_events > 0 or not self._buffer.held_events))
        )

    async def _flush(self, timers: TaskGroup) -> None:
        self._asked = False
        self._confess()
        self._lanes.add(*self._buffer.take())
        batch = self._lanes.next_batch(
            now_ms=self._clock.now() // 1000,
            max_events=self._policy.flush_events * _BATCH,
            max_bytes=self._policy.flush_bytes * _BATCH,
        )
        if batch:
            self._settle(self._lanes.settle(batch, await self._append(batch)))
            self._bring_back_later(timers)
        self._settle_promises()

    async def _append(self, batch: Sequence[PendingFrame]) -> list[AppendResult]:
        appends = [Append(TaskAddress(frame.task_id, self._tenant), frame.payload()) for frame in batch]
        try:
            return await self._log.append(appends)
        except Exception as error:  # against its contract, which must not end recording
            _logger.exception("The log raised instead of answering")
            problem = StoreUnreachable("the log", repr(error))
            return [NotAppended(problem, outcome_unknown=True)] * len(appends)

    def _settle(self, settlement: Settlement) -> None:
        if settlement.stored:
            self._failures = 0
            self._outage.ended()
            self._may_confess = True
        elif settlement.store_failed:
            self._failures += 1
            self._outage.began("The store does not take events.")
        events = [event for frame in settlement.stored for event in frame.events]
        self._buffer.release(len(events), sum(frame.size for frame in settlement.stored))
        for source, count in Counter([SOURCES[event.event_type] for event in events]).items():
            self._counters.increment("relayna_records_total", count, source=source, outcome="stored")
        self._give_up(settlement.given_up, "refused")

    def _bring_back_later(self, timers: TaskGroup) -> None:
        if not self._lanes.any_aside:
            self._rounds_aside = 0
        elif not self._bringing_back:
            self._bringing_back = True
            self._rounds_aside += 1
            timers.start_soon(self._bring_back, self._policy.backoff.seconds(self._rounds_aside))

    async def _bring_back(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._bringing_back = False
        self._lanes.bring_back()
        self._due.ring()

    def _settle_promises(self) -> None:
        if self._promises:
            fresh = self._buffer.taken
            self._promises.settle(
                stored=self._lanes.first_position(default=fresh),
                hopeful=self._lanes.first_position(default=fresh, hopeless_refusals=_HOPELESS_REFUSALS),
            )

    def _confess(self) -> None:
        if self._failures:
            return  # it would only queue up with the rest
        self._may_confess = False
        confessions = self._losses.confessions(now=self._clock.now(), producer=self._producer)
        full = [loss for loss, event in confessions if self._buffer.put(event) is Admission.FULL]
        self._losses.put_back(full)

    def _give_up(self, frames: Iterable[PendingFrame], reason: str) -> None:
        for frame in frames:
            self._buffer.release(len(frame.events), frame.size)
            for event in frame.events:
                self._losses.add(event, reason)
                write_last_resort(event, reason, self._tenant)

    def _give_up_the_rest(self) -> None:
        # What no stream was told of yet is told in the same place as the events themselves.
        for _, confession in self._losses.confessions(now=self._clock.now(), producer=self._producer):
            write_last_resort(confession, "closed", self._tenant)
        self._lanes.add(*self._buffer.take())
        self._give_up(self._lanes, "closed")
        self._promises.settle(stored=self._buffer.taken, hopeful=self._buffer.taken)
        self._buffer.wake_at(1, 1)  # what comes now comes too late: the recorder says so

    async def _close_log(self) -> None:
        with anyio.move_on_after(self._policy.close_deadline, shield=True):
            try:
                await self._log.__aexit__(None, None, None)
            except StoreError as error:
                _logger.warning("The log did not close cleanly: %s", error)
