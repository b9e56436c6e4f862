"""What the log does not take goes to the spool, and comes back from there when it does.

Owns when that is, and that what is recorded later stays behind what waits on disk. Talks to the spool in
threads, one call at a time, from a task of its own: the log may be slow meanwhile, and the disk too.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final, TypeVar

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from relayna.clock import Clock
from relayna.errors import SpoolError
from relayna.ids import Tenant
from relayna.streams.keys import TaskAddress
from relayna.streams.log import Append
from relayna.streams.recording.alarm import Alarm
from relayna.streams.recording.backoff import Backoff
from relayna.streams.recording.buffer import Buffer
from relayna.streams.recording.drained_frames import drained_frame
from relayna.streams.recording.draining import Draining
from relayna.streams.recording.lanes import HOPELESS_REFUSALS
from relayna.streams.recording.outlet import Outlet
from relayna.streams.recording.pending_frame import PendingFrame
from relayna.streams.recording.pressure import CROWDED, Pressure, must_spool
from relayna.streams.spool import NotSynced, NotWritten, Spool, SpoolToken

__all__ = ["Spooling"]

_PUT_BYTES: Final = 1 << 20
"""So much is put at once: all of it or, on a full disk, nothing."""
_LOOK_SECONDS: Final = 60.0
"""From one look for what dead processes left to the next."""

ValueT = TypeVar("ValueT")
_logger: Final = logging.getLogger("relayna.recorder")


class Spooling:
    """Between one flusher and one spool. Make it in the flusher's event loop."""

    def __init__(
        self,
        spool: Spool,
        buffer: Buffer,
        direct: Outlet,
        draining: Draining,
        *,
        tenant: Tenant,
        clock: Clock,
        backoff: Backoff,
        is_store_away: Callable[[], bool],
        changed: Callable[[], None],
    ) -> None:
        """`changed` is called when something was written, or has come back."""
        self._spool = spool
        self._buffer = buffer
        self._direct = direct
        self.draining = draining
        self._tenant = tenant
        self._clock = clock
        self._backoff = backoff
        self._is_store_away = is_store_away
        self._changed = changed
        self._bell = Alarm(clock)
        self._one_at_a_time = threading.Lock()
        self._is_closed = False
        self._is_awaited = False
        self._is_pausing = False
        self._failures = 0
        self._look_due = True
        self.is_behind = True  # until the first look has told
        """Whether something waits on disk that is not being drained yet, ours or a dead process's."""
        self.has_spooled = False
        """Whether something that was recorded here waits there."""

    @property
    def is_failing(self) -> bool:
        """Whether the disk did not take what it was last given."""
        return self._failures > 0

    @property
    def lets_pass(self) -> bool:
        """Whether what is pending may go to the log now.

        A task of which something is being drained stays behind that in any case.
        """
        return not self.is_behind or self.draining.lets_pass

    @property
    def is_active(self) -> bool:
        """Whether what is recorded now should soon be on disk."""
        return self.has_spooled or not self.draining.is_idle or self._is_store_away()

    def watch(self, events: int, size: int) -> None:
        """Be woken when it is time to write; soon, at `events` or `size`, when that is the way for now."""
        room_events, room_bytes = self._buffer.room(max(CROWDED - self._buffer.held_share, 0.0))
        if not self.is_active:
            events, size = room_events, room_bytes
        if self._buffer.wake_at(min(events, room_events), min(size, room_bytes)):
            self._bell.ring()

    def ring(self) -> None:
        """Something may have to be done. Callable from any thread."""
        self._bell.ring()

    def stand_in(self, promise: asyncio.Future[bool], seconds: float) -> asyncio.TimerHandle:
        """Leave the log so long to keep a promise, while it may; then have all that is pending written."""

        def write() -> None:
            if not promise.done():
                self._is_awaited = True
                self._bell.ring()

        return asyncio.get_running_loop().call_later(0 if self.is_active else seconds, write)

    async def run(self) -> None:
        """Write, and fetch what can be drained, until it is cancelled."""
        async with anyio.create_task_group() as timers:
            timers.start_soon(self._look_now_and_then)
            while True:
                self._bell.silence()
                await self._write_what_must(timers)
                await self._fetch_what_may_come(timers)
                await self._bell.wait()

    async def keep_the_rest(self, deadline_seconds: float) -> None:
        """Nothing goes to the log any more: all that is pending goes to disk, as far as it is taken."""
        self._direct.lanes.add(*self._buffer.take())
        frames = self._direct.lanes.to_spool()
        _freeze(frames, self._clock.now() // 1000)
        with anyio.move_on_after(deadline_seconds, shield=True):
            kept, problem = await self._in_thread(functools.partial(self._put_and_close, frames))
            self._accept(kept, are_under_way=False)
            self._tell(problem)
        self._direct.lanes.remove([frame for frame in self._direct.lanes if frame.is_spooled])

    async def _look_now_and_then(self) -> None:
        while True:
            await self._clock.sleep(_LOOK_SECONDS)
            self._look_due = True
            self._bell.ring()

    async def _write_what_must(self, timers: TaskGroup) -> None:
        pressure = Pressure(
            is_awaited=self._is_awaited,
            is_store_away=self._is_store_away(),
            held_share=self._buffer.held_share,
        )
        self._is_awaited = False
        if self._is_pausing or not must_spool(pressure):
            return
        self._direct.lanes.add(*self._buffer.take())
        frames = self._direct.lanes.to_spool(hopeless_refusals=HOPELESS_REFUSALS)
        if not frames:
            return
        _freeze(frames, self._clock.now() // 1000)
        kept, problem = await self._in_thread(functools.partial(self._put, frames))
        self._accept(kept)
        self.is_behind |= bool(kept)
        self.has_spooled |= bool(kept)
        self._tell(problem)
        if problem is not None:
            timers.start_soon(self._pause)
        self._changed()

    def _put(self, frames: Sequence[PendingFrame]) -> tuple[list[PendingFrame], SpoolError | None]:
        """Those that are on disk now, and what happened to the others. Runs in a thread."""
        written: dict[Append, PendingFrame] = {}
        problem: SpoolError | None = None
        for some in _portions(frames):
            appends = {
                Append(TaskAddress(frame.task_id, self._tenant), frame.payload(), frame.tells): frame
                for frame in some
            }
            result = self._spool.put(list(appends))
            if isinstance(result, NotWritten):
                problem = result.error
                break
            written |= appends
        synced = self._spool.sync()
        if isinstance(synced, NotSynced):
            problem = synced.error
            for append in synced.appends:
                written.pop(append, None)  # still pending: the next write brings it again
        return list(written.values()), problem

    def _put_and_close(self, frames: Sequence[PendingFrame]) -> tuple[list[PendingFrame], SpoolError | None]:
        # One piece of work: closed before it is put to, a spool would be open again, and its folder locked
        # for as long as this process lives.
        try:
            return self._put(frames)
        finally:
            self._is_closed = True
            self._spool.close()

    def _accept(self, kept: Sequence[PendingFrame], *, are_under_way: bool = True) -> None:
        """The disk has these. What is under way keeps its place until it is known what became of it."""
        under_way = [frame for frame in kept if frame.is_under_way and are_under_way]
        for frame in under_way:
            frame.is_spooled = True
        # Some were stored while they were written: those are not here any more.
        elsewhere = self._direct.lanes.remove([frame for frame in kept if not frame.is_spooled])
        self._direct.settling.spooled([*under_way, *elsewhere])

    def _tell(self, problem: SpoolError | None) -> None:
        if problem is None:
            if self._failures:
                _logger.warning("The spool takes events again.")
            self._failures = 0
            return
        if not self._failures:
            _logger.error("%s Events are held in memory, within its bounds.", problem)
        self._failures += 1

    async def _pause(self) -> None:
        self._is_pausing = True
        await self._clock.sleep(self._backoff.seconds(self._failures))
        self._is_pausing = False
        self._bell.ring()

    async def _fetch_what_may_come(self, timers: TaskGroup) -> None:
        for token in self.draining.take_done():
            await self._in_thread(functools.partial(self._spool.done, token))
            self._look_due = True
        if not self.draining.may_take_more or not (self.is_behind or self._look_due):
            return
        self._look_due = False
        fetched = await self._in_thread(functools.partial(self._fetch, self.draining.tokens))
        if fetched is not None:
            self.is_behind = True
            self.draining.begin(*fetched)
        elif not self._spool.holds_more_than(self.draining.tokens):
            self.is_behind = False
            self.has_spooled &= not self.draining.is_idle
        else:  # the disk does not give it back now
            timers.start_soon(self._ring_later)
            return
        self._changed()

    def _fetch(
        self, besides: Collection[SpoolToken]
    ) -> tuple[SpoolToken, list[tuple[Tenant, PendingFrame]]] | None:
        batch = self._spool.drain(besides=besides)
        if batch is None:
            return None
        return batch.token, [(append.address.tenant, drained_frame(append)) for append in batch.appends]

    async def _in_thread(self, work: Callable[[], ValueT]) -> ValueT:
        def alone() -> ValueT:
            with self._one_at_a_time:
                if self._is_closed:  # abandoned before its turn came: nobody hears what it returns
                    raise RuntimeError("The spool is closed")
                return work()

        # A disk that hangs must not keep a recorder from closing. What was abandoned still ends.
        return await anyio.to_thread.run_sync(alone, abandon_on_cancel=True)

    async def _ring_later(self) -> None:
        await self._clock.sleep(self._backoff.longest_seconds)
        self._bell.ring()


def _freeze(frames: Sequence[PendingFrame], now_ms: int) -> None:
    """Nothing is added to these any more."""
    for frame in frames:
        frame.freeze(now_ms)


def _portions(frames: Sequence[PendingFrame]) -> Iterator[list[PendingFrame]]:
    some: list[PendingFrame] = []
    size = 0
    for frame in frames:
        some.append(frame)
        size += frame.size
        if size >= _PUT_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some
