"""The way of a batch into the log, such that a frame is in its stream once.

Owns the order of things: what is doubtful is looked for, the rest and what is not there is appended, and
what the log acknowledged is remembered until it is known that no fail-over has cost it. Decides nothing
about trying again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

import anyio
from msgspec import Struct

from relayna.clock import Clock
from relayna.errors import StoreError, StoreUnreachable
from relayna.ids import StreamId, Tenant
from relayna.signals import IgnoredMeasures, Measures
from relayna.streams.keys import TaskAddress
from relayna.streams.log import Append, Appended, AppendResult, Log, NotAppended
from relayna.streams.recording.fail_over import FailOver, Setback
from relayna.streams.recording.pending_frame import PendingFrame
from relayna.streams.recording.positions import Positions
from relayna.streams.recording.read_back import ReadBack
from relayna.streams.recording.retransmit_window import RetransmitWindow

__all__ = ["Offered", "Offering"]

_logger: Final = logging.getLogger("relayna.recorder")


class Offered(Struct, frozen=True):
    """What became of a batch."""

    results: list[AppendResult]
    """For each frame, in order; `Appended` also where it was found to have been before."""
    setbacks: list[Setback]
    """What the store was found to have lost of earlier batches."""
    was_acknowledged: bool
    """Whether the log has acknowledged an append, and not only shown what it had taken before."""


class Offering:
    """Offers batches to one log. Belongs to one event loop."""

    def __init__(
        self,
        log: Log,
        *,
        tenant: Tenant,
        clock: Clock,
        window: RetransmitWindow,
        measures: Measures | None = None,
    ) -> None:
        """Measures how long the log takes to answer, `relayna_append_duration_seconds`."""
        self._log = log
        self._measures = measures or IgnoredMeasures()
        self._tenant = tenant
        self._clock = clock
        self._window = window
        self._positions = Positions()
        self._read_back = ReadBack(log, tenant, self._positions)
        self._fail_over = FailOver(log, tenant, clock, self._positions, window)

    async def offer(self, batch: Sequence[PendingFrame]) -> Offered:
        """See that each frame is in its stream. Does not raise for a store that fails."""
        settled: dict[PendingFrame, AppendResult] = {}
        setbacks = [await self._settle_doubts(batch, settled)]
        due = [frame for frame in batch if frame not in settled] if settled else batch
        answers = await self._append(due) if due else []
        taken = [frame for frame, answer in zip(due, answers, strict=True) if isinstance(answer, Appended)]
        if taken:
            setbacks.append(await self._fail_over.look(self._shards(taken)))
        results = answers
        if settled:
            settled.update(zip(due, answers, strict=True))
            results = [settled[frame] for frame in batch]
        return Offered(
            self._remembered(batch, results),
            [setback for setback in setbacks if setback],
            was_acknowledged=bool(taken),
        )

    async def _settle_doubts(
        self, batch: Sequence[PendingFrame], settled: dict[PendingFrame, AppendResult]
    ) -> Setback:
        """Enter the results of frames that are in the log, and of those that cannot be looked for."""
        doubtful = [frame for frame in batch if frame.is_doubtful]
        if not doubtful:
            return Setback()
        # What we know of a stream may not be true any more.
        setback = await self._fail_over.look(self._shards(doubtful))
        unsure = [frame for frame in doubtful if self._is_unsure(frame)]
        found, error = await self._read_back.find([frame for frame in doubtful if frame not in unsure])
        unread = NotAppended(error or self._cannot_tell(), outcome_unknown=True)
        for frame in doubtful:
            if frame not in found:
                settled[frame] = unread
            elif (stream_id := found[frame]) is not None:
                settled[frame] = Appended(stream_id)
        return setback

    async def _append(self, frames: Sequence[PendingFrame]) -> Sequence[AppendResult]:
        appends = [
            Append(TaskAddress(frame.task_id, self._tenant), frame.payload(), frame.tells) for frame in frames
        ]
        begun = anyio.current_time()
        try:
            return await self._log.append(appends)
        except Exception as error:  # against its contract, which must not end recording
            _logger.exception("The log raised instead of answering")
            problem = StoreUnreachable("the log", repr(error))
            return [NotAppended(problem, outcome_unknown=True)] * len(appends)
        finally:
            seconds = anyio.current_time() - begun
            exemplar = frames[0].task_id if frames else None
            self._measures.observe("relayna_append_duration_seconds", seconds, exemplar=exemplar)

    def _remembered(
        self, batch: Sequence[PendingFrame], answers: Sequence[AppendResult]
    ) -> list[AppendResult]:
        """The results, of which those that count are remembered."""
        results = list(answers)
        unsure = self._fail_over.unsure
        stored: list[tuple[PendingFrame, StreamId]] = []
        for index, (frame, result) in enumerate(zip(batch, answers, strict=True)):
            if not isinstance(result, Appended):
                continue
            if unsure and self._is_unsure(frame):
                results[index] = NotAppended(self._cannot_tell(), outcome_unknown=True)
            else:
                stored.append((frame, result.stream_id))
        self._positions.note(stored)
        self._window.note(stored, self._clock.now())
        return results

    def _is_unsure(self, frame: PendingFrame) -> bool:
        return self._shard(frame) in self._fail_over.unsure

    def _shards(self, frames: Sequence[PendingFrame]) -> set[int]:
        """Those of which a look must tell; a log that tells of all of them need not be asked for any."""
        return set() if self._fail_over.knows_every_shard else set(map(self._shard, frames))

    def _shard(self, frame: PendingFrame) -> int:
        return self._log.keys.shard_of(TaskAddress(frame.task_id, self._tenant))

    @staticmethod
    def _cannot_tell() -> StoreError:
        return StoreUnreachable("the log", "it does not say whether it is still the same")
