"""What is done when it is known what became of events: they are let go, counted, given up or confessed.

Owns the accounts: the buffer's room, the counters, the losses and what is written as the last resort.
Decides nothing about what became of them.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from relayna.clock import Clock
from relayna.ids import Tenant
from relayna.signals import Counters
from relayna.streams.recording.buffer import Admission, Buffer
from relayna.streams.recording.fail_over import Setback
from relayna.streams.recording.held import SOURCES
from relayna.streams.recording.lanes import Lanes
from relayna.streams.recording.last_resort import write_last_resort
from relayna.streams.recording.losses import Losses
from relayna.streams.recording.pending_frame import PendingFrame

__all__ = ["Settling"]

_logger: Final = logging.getLogger("relayna.recorder")


class Settling:
    """Keeps the accounts of one flusher."""

    def __init__(
        self,
        buffer: Buffer,
        losses: Losses,
        *,
        tenant: Tenant,
        producer: str,
        clock: Clock,
        counters: Counters,
    ) -> None:
        self._buffer = buffer
        self._losses = losses
        self._tenant = tenant
        self._producer = producer
        self._clock = clock
        self._counters = counters

    def stored(self, frames: Sequence[PendingFrame]) -> None:
        """The log has them."""
        self._let_go(frames)
        repeated = [frame for frame in frames if frame.is_repeated]
        self._count(repeated, "stored_again")
        self._count([frame for frame in frames if not frame.is_repeated] if repeated else frames, "stored")

    def spooled(self, frames: Sequence[PendingFrame]) -> None:
        """The disk has them; they are stored when they come back from there."""
        self._let_go(frames)
        self._count(frames, "spooled")

    def give_up(self, frames: Iterable[PendingFrame], reason: str) -> None:
        """Nobody will try them any more: write each down, and have it confessed."""
        given_up = list(frames)
        self._let_go(given_up)
        for frame in given_up:
            for event in frame.events:
                self._losses.add(event, reason)
                write_last_resort(event, reason, self._tenant)

    def put_back(self, setback: Setback, lanes: Lanes) -> None:
        """The store has lost these: store again what is still here, and confess the rest."""
        lanes.put_back(setback.frames)
        repeated = sum(len(frame.events) for frame in setback.frames)
        for frame in setback.frames:
            frame.is_held = True
        self._buffer.hold_again(repeated, sum(frame.size for frame in setback.frames))
        for loss in setback.losses:
            self._losses.add_found(loss)
        _logger.warning(
            "The store has lost what it had acknowledged, as after a fail-over: %d events are stored again, "
            "%d are gone and confessed in their streams.",
            repeated,
            sum(loss.count for loss in setback.losses),
        )

    def confess(self) -> None:
        """Put confessions of all losses into the buffer, as far as there is room."""
        if not self._losses:
            return
        confessions = self._losses.confessions(now=self._clock.now(), producer=self._producer)
        full = [loss for loss, event in confessions if self._buffer.put(event) is Admission.FULL]
        self._losses.put_back(full)

    def give_up_the_rest(self, lanes: Lanes) -> None:
        """Nothing goes to the log any more."""
        # What no stream was told of yet is told in the same place as the events themselves.
        for _, confession in self._losses.confessions(now=self._clock.now(), producer=self._producer):
            write_last_resort(confession, "closed", self._tenant)
        lanes.add(*self._buffer.take())
        self.give_up(lanes, "closed")
        self._buffer.wake_at(1, 1)  # what comes now comes too late: the recorder says so

    def _let_go(self, frames: Sequence[PendingFrame]) -> None:
        events = size = 0
        for frame in frames:
            if frame.is_held:
                frame.is_held = False
                events, size = events + len(frame.events), size + frame.size
        self._buffer.release(events, size)

    def _count(self, frames: Sequence[PendingFrame], outcome: str) -> None:
        sources: Counter[str] = Counter()
        types = Counter([event.event_type for frame in frames for event in frame.events])
        for event_type, count in types.items():
            sources[SOURCES.get(event_type, "observation")] += count  # a newer version's came by the spool
        for source, count in sources.items():
            self._counters.increment("relayna_records_total", count, source=source, outcome=outcome)
