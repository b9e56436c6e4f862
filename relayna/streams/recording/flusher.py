"""The one task that carries events from the buffer to the log, in batches, until it is told to end.

Owns when to flush, and what to do when the store does not take what it is offered. Decides nothing about
what is recorded; how a batch gets into the log is known to `offering.py`, when it goes to disk to `spooling.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine

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
from relayna.streams.recording.draining import Draining
from relayna.streams.recording.flush_policy import FlushPolicy
from relayna.streams.recording.lanes import HOPELESS_REFUSALS, Settlement
from relayna.streams.recording.losses import Losses
from relayna.streams.recording.opening import Opening
from relayna.streams.recording.outage import Outage
from relayna.streams.recording.outlet import Outlet, Outlets
from relayna.streams.recording.portion import Portion
from relayna.streams.recording.promises import Promises
from relayna.streams.recording.set_aside import SetAside
from relayna.streams.recording.spooling import Spooling
from relayna.streams.sink import Durability
from relayna.streams.spool import Spool

__all__ = ["Flusher"]

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
        spool: Spool | None = None,
        beside: Callable[[Clock], Coroutine[None, None, None]] | None = None,
    ) -> None:
        self._buffer, self._beside = buffer, beside
        self._losses = losses
        self._clock = clock
        self._policy, self._portion = policy, Portion(policy, buffer)
        self._breaker = Breaker(policy.backoff, clock)
        self._outage = Outage() if spool is None else Outage(f"in memory and in the spool {spool.directory}")
        self._opening = Opening(log, self._breaker, self._outage)
        self._promises = Promises()
        self._due, self._end = Alarm(clock), Alarm(clock)
        self._ending, self._asked, self._listening, self._may_confess = False, False, False, True
        outlets = Outlets(
            log, buffer, losses,
            tenant=tenant, producer=producer, clock=clock, counters=counters, policy=policy,
        )  # fmt: skip
        self._direct = outlets.direct
        self._lanes, self._settling = outlets.direct.lanes, outlets.direct.settling
        self._spooling = None if spool is None else Spooling(
            spool, buffer, outlets.direct, Draining(outlets.for_drained),
            tenant=tenant, clock=clock, backoff=policy.backoff,
            is_store_away=self.is_store_away, changed=self._spool_changed,
        )  # fmt: skip
        self._set_aside = SetAside(self._outlets, self._breaker, clock, self._due)
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
        if self._spooling is not None:
            self._spooling.ring()

    def ask(self) -> None:
        """Flush without waiting for more."""
        self._asked = True
        self._due.ring()

    async def flush(self, budget_seconds: float) -> Durability:
        """Flush at once; where all that was recorded is, if it is stored, on disk or given up in time."""
        self._confess()
        if not self._buffer.held_events:
            return self._where_it_is()
        self.ask()
        spooling = self._spooling
        is_hopeless = self._breaker.is_hopeless_within(budget_seconds)
        if budget_seconds <= 0 or (is_hopeless and (spooling is None or spooling.is_failing)):
            return Durability.PENDING
        promise = self._promises.make(self._buffer.recorded, budget_seconds)
        if spooling is None:
            return self._where_it_is() if await promise else Durability.PENDING
        # The disk needs some of the budget too.
        standing_in = spooling.stand_in(promise, 0 if is_hopeless else budget_seconds / 2)
        is_kept = await promise
        standing_in.cancel()
        return self._where_it_is() if is_kept else Durability.PENDING

    async def end(self) -> None:
        """Flush until the deadline, give up the rest, close the log."""
        if not self._ending:
            self._ending = True
            self._breaker.hurry()
            self._set_aside.bring_back()
            self._scope.deadline = anyio.current_time() + self._policy.close_deadline
            self._end.ring()
            self._due.ring()
        # The flusher's own task does the work, so it is done even when who waits here is cancelled.
        with anyio.CancelScope(shield=True):
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            with self._scope:
                async with anyio.create_task_group() as beside:
                    if self._beside is not None:
                        beside.start_soon(self._beside, self._clock)
                    if self._spooling is not None:
                        beside.start_soon(self._spooling.run)
                    if await self._opening.open(self._back_off):
                        await self._carry()
                    beside.cancel_scope.cancel()
        except Exception:
            # Told where operators look: recording must not fail those who record.
            _logger.exception("The recorder stopped flushing: a mistake in relayna, please report it")
        finally:
            self._opening.give_up()
            if self._opening.error is None:
                await self._end_with_the_rest()
            await self._opening.close(self._policy.close_deadline)

    async def _end_with_the_rest(self) -> None:
        try:
            if self._spooling is not None:
                self._settling.confess()
                await self._spooling.keep_the_rest(self._policy.disk_deadline)
        finally:
            self._settling.give_up_the_rest(self._lanes)
            self._promises.settle(stored=self._buffer.taken, hopeful=self._buffer.taken)

    async def _carry(self) -> None:
        async with anyio.create_task_group() as timers:
            while not (self._ending and self._is_empty() and not self._losses):
                if self._breaker.is_closed:
                    await self._until_due()
                else:
                    await self._back_off()
                await self._flush(timers)
            timers.cancel_scope.cancel()

    async def _back_off(self) -> None:
        if self._spooling is not None:
            self._spooling.ring()
        seconds = self._breaker.pause()
        if self._ending:
            await self._clock.sleep(seconds)
        else:
            await self._end.wait_at_most(seconds)

    async def _until_due(self) -> None:
        self._listening = True
        await self._listen()
        self._listening = False

    async def _listen(self) -> None:
        if self._is_due():
            return
        self._due.silence()
        if not self._buffer.wake_at(1, 1):
            await self._due.wait()
        if self._is_due():
            return
        self._due.silence()
        if not self._buffer.wake_at(*self._portion.due):
            await self._due.wait_at_most(self._policy.flush_interval)

    def _is_due(self) -> bool:
        return (
            self._asked
            or any(outlet.lanes.any_ready for outlet in self._open_outlets())
            or (self._may_confess and bool(self._losses))
            or (self._ending and (self._buffer.fresh_events > 0 or self._is_empty()))
        )

    async def _flush(self, timers: TaskGroup) -> None:
        self._asked = False
        self._confess()
        self._lanes.add(*self._buffer.take())
        self._watch()
        for outlet in self._open_outlets():
            await self._offer(outlet)
        self._set_aside.bring_back_later(timers)
        if self._spooling is not None:
            self._spooling.ring()
        self._settle_promises()

    async def _offer(self, outlet: Outlet) -> None:
        batch = self._portion.cut(outlet.lanes, now_ms=self._clock.now() // 1000)
        if not batch:
            return
        offered = await outlet.offering.offer(batch)
        self._settle(outlet, outlet.lanes.settle(batch, offered.results))
        # What was not taken and went to the spool meanwhile waits there.
        outlet.lanes.remove([frame for frame in batch if frame.is_spooled])
        if offered.was_acknowledged:
            self._outage.ended()
        for setback in offered.setbacks:
            outlet.settling.put_back(setback, self._lanes)

    def _settle(self, outlet: Outlet, settlement: Settlement) -> None:
        outlet.settling.stored(settlement.stored)
        outlet.settling.give_up(settlement.given_up, "refused")
        if settlement.failure is not None:
            self._store_failed(settlement.failure)
        elif settlement.stored:
            self._breaker.succeeded()
            self._may_confess = True

    def _store_failed(self, failure: NotAppended) -> None:
        # What is not taken waits in the lanes, in order; from there it may go to the spool.
        shut = failure.outcome is Outcome.PERMANENT
        self._breaker.failed(shut=shut)
        self._outage.began(failure.error, shut=shut)

    def _settle_promises(self) -> None:
        if self._promises:
            fresh = self._buffer.taken
            self._promises.settle(
                stored=self._lanes.first_position(default=fresh),
                hopeful=self._lanes.first_position(default=fresh, hopeless_refusals=HOPELESS_REFUSALS),
            )

    def _outlets(self) -> list[Outlet]:
        return [self._direct, *(self._spooling.draining.outlets if self._spooling is not None else ())]

    def _open_outlets(self) -> list[Outlet]:
        """Those by which frames may go to the log now: none may overtake what waits in the spool."""
        is_shut = self._spooling is not None and not self._spooling.lets_pass
        return self._outlets()[is_shut:]

    def is_store_away(self) -> bool:
        """Whether nobody should wait for the store."""
        is_failing = not self._breaker.is_closed
        return self._breaker.is_open or (is_failing and (self._ending or not self._opening.is_open))

    def _is_empty(self) -> bool:
        """Whether nothing is left to be done that the store could do now."""
        drains = self._spooling is not None and self._spooling.has_spooled and self._breaker.is_closed
        return not self._buffer.held_events and not drains

    def _where_it_is(self) -> Durability:
        has_spooled = self._spooling is not None and self._spooling.has_spooled
        return Durability.SPOOLED if has_spooled else Durability.STORED

    def _watch(self) -> None:
        """While this task is busy, somebody else must see to it that what comes finds room."""
        if self._spooling is not None:
            self._spooling.watch(self._policy.flush_events, self._policy.flush_bytes)

    def _spool_changed(self) -> None:
        self._settle_promises()
        if not self._listening:
            self._watch()
        self.ask()

    def _confess(self) -> None:
        if self._breaker.is_closed:  # else it would only queue up with the rest
            self._may_confess = False
            self._settling.confess()
