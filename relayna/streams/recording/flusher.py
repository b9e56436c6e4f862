"""The one task that carries events from the buffer to the log, in batches, until it is told to end.

Owns when to flush, and what to do when the store does not take what it is offered. Decides nothing about
what is recorded; how a batch gets into the log is known to `offering.py`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import anyio
from anyio.abc import TaskGroup

from relayna.clock import Clock
from relayna.ids import Tenant
from relayna.signals import Counters
from relayna.streams.log import Log, NotAppended
from relayna.streams.outcomes import Outcome
from relayna.streams.recording.alarm import Alarm
from relayna.streams.recording.breaker import Breaker
from relayna.streams.recording.buffer import Buffer
from relayna.streams.recording.flush_policy import FlushPolicy
from relayna.streams.recording.lanes import Lanes, Settlement
from relayna.streams.recording.losses import Losses
from relayna.streams.recording.offering import Offering
from relayna.streams.recording.opening import Opening
from relayna.streams.recording.outage import Outage
from relayna.streams.recording.promises import Promises
from relayna.streams.recording.retransmit_window import RetransmitWindow
from relayna.streams.recording.settling import Settling

__all__ = ["Flusher"]

_BATCH: Final = 8
"""A batch that has piled up is at most this many times the size at which a flush is due."""
_HOPELESS_REFUSALS: Final = 2
"""A task refused so often while others are not is not waited for; the first may be a passing trouble."""

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
        self._buffer = buffer
        self._losses = losses
        self._clock = clock
        self._policy = policy
        self._lanes = Lanes(
            frame_events=policy.flush_events,
            frame_bytes=policy.flush_bytes,
            refusal_limit=policy.refusal_limit,
        )
        window = RetransmitWindow(max_bytes=policy.window_bytes, max_seconds=policy.window_seconds)
        self._offering = Offering(log, tenant=tenant, clock=clock, window=window)
        self._settling = Settling(
            buffer, losses, tenant=tenant, producer=producer, clock=clock, counters=counters
        )
        self._breaker, self._outage = Breaker(policy.backoff, clock), Outage()
        self._opening = Opening(log, self._breaker, self._outage)
        self._promises = Promises()
        self._due, self._end = Alarm(clock), Alarm(clock)
        self._ending = self._asked = False
        self._may_confess = True
        self._rounds_aside = 0
        self._bringing_back = False
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
        await self._opening.tried()

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
        if budget_seconds <= 0 or self._breaker.is_open:
            return False
        promise = self._promises.make(self._buffer.recorded)
        with anyio.move_on_after(budget_seconds):
            return await promise
        return False

    async def end(self) -> None:
        """Flush until the deadline, give up the rest, close the log."""
        if not self._ending:
            self._ending = True
            self._breaker.hurry()
            self._lanes.bring_back()
            self._scope.deadline = anyio.current_time() + self._policy.close_deadline
            self._end.ring()
            self._due.ring()
        # The flusher's own task does the work, so it is done even when who waits here is cancelled.
        with anyio.CancelScope(shield=True):
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            with self._scope:
                if await self._opening.open(self._back_off):
                    await self._carry()
        except Exception:
            # Told where operators look: recording must not fail those who record.
            _logger.exception("The recorder stopped flushing: a mistake in relayna, please report it")
        finally:
            self._opening.give_up()
            if self._opening.error is None:
                self._settling.give_up_the_rest(self._lanes)
                self._promises.settle(stored=self._buffer.taken, hopeful=self._buffer.taken)
            await self._opening.close(self._policy.close_deadline)

    async def _carry(self) -> None:
        async with anyio.create_task_group() as timers:
            while not (self._ending and not self._buffer.held_events and not self._losses):
                if self._breaker.is_closed:
                    await self._until_due()
                else:
                    await self._back_off()
                await self._flush(timers)
            timers.cancel_scope.cancel()

    async def _back_off(self) -> None:
        seconds = self._breaker.pause()
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
            offered = await self._offering.offer(batch)
            self._settle(self._lanes.settle(batch, offered.results))
            if offered.was_acknowledged:
                self._outage.ended()
            for setback in offered.setbacks:
                self._settling.put_back(setback, self._lanes)
            self._bring_back_later(timers)
        self._settle_promises()

    def _settle(self, settlement: Settlement) -> None:
        self._settling.stored(settlement.stored)
        self._settling.give_up(settlement.given_up, "refused")
        if settlement.failure is not None:
            self._store_failed(settlement.failure)
        elif settlement.stored:
            self._breaker.succeeded()
            self._may_confess = True

    def _store_failed(self, failure: NotAppended) -> None:
        # What is not taken waits in the lanes, in order; this is where it could go elsewhere meanwhile.
        shut = failure.outcome is Outcome.PERMANENT
        self._breaker.failed(shut=shut)
        self._outage.began(failure.error, shut=shut)

    def _bring_back_later(self, timers: TaskGroup) -> None:
        if not self._lanes.any_aside:
            self._rounds_aside = 0
        elif not self._bringing_back:
            self._bringing_back = True
            self._rounds_aside += 1
            timers.start_soon(self._bring_back, self._breaker.pause_after(self._rounds_aside))

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
        if self._breaker.is_closed:  # else it would only queue up with the rest
            self._may_confess = False
            self._settling.confess()
