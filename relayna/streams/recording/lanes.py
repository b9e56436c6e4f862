"""Frames on their way to the log: one lane a task, so that the order within a task is kept.

Owns which frame of which task may be offered next, and the evidence by which the trouble of one task
is told from the trouble of the store. Belongs to the flusher's task; waits for nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from relayna.ids import TaskId
from relayna.streams.log import Appended, AppendResult, NotAppended
from relayna.streams.outcomes import Outcome, Trouble
from relayna.streams.recording.held import HeldEvent
from relayna.streams.recording.pending_frame import PendingFrame, frame_of

__all__ = ["HOPELESS_REFUSALS", "Lanes", "Settlement", "Tally"]

HOPELESS_REFUSALS: Final = 2
"""A task refused so often while others are not is not waited for; the first may be a passing trouble."""


class _Lane(Struct, eq=False, gc=False):
    first: PendingFrame
    later: list[PendingFrame] | None = None
    """What waits behind it; nothing, of most."""
    aside: bool = False
    refused_at: int | None = None
    """How many frames the log had taken when it last refused this lane's first one."""
    refusals: int = 0
    """How often it was refused though the log took others."""

    @property
    def frames(self) -> list[PendingFrame]:
        """All of them, in order."""
        return [self.first, *(self.later or ())]

    def append(self, frame: PendingFrame) -> None:
        """Put it behind the others."""
        if self.later is None:
            self.later = [frame]
        else:
            self.later.append(frame)

    def hold(self, frames: Sequence[PendingFrame]) -> None:
        """These, one at least, and no others."""
        self.first, self.later = frames[0], list(frames[1:]) or None


class Tally(Struct):
    """How many frames the log has taken."""

    taken: int = 0


class Settlement(Struct, frozen=True, kw_only=True):
    """What the log's answers to a batch come to."""

    stored: list[PendingFrame]
    given_up: list[PendingFrame]
    failure: NotAppended | None = None
    """Why nothing was taken, when it is not the trouble of single tasks."""


class Lanes:
    """Frames of each task in order; only the first of each is ever on its way."""

    def __init__(
        self, *, frame_events: int, frame_bytes: int, refusal_limit: int, tally: Tally | None = None
    ) -> None:
        """What the log takes of others is evidence here too when they have the same `tally`."""
        self._frame_events = frame_events
        self._frame_bytes = frame_bytes
        self._refusal_limit = refusal_limit
        self._lanes: dict[TaskId, _Lane] = {}
        self._ahead: Collection[TaskId] = ()
        self._aside = 0
        self._tally = tally or Tally()

    def __bool__(self) -> bool:
        return bool(self._lanes)

    def __iter__(self) -> Iterator[PendingFrame]:
        return (frame for lane in self._lanes.values() for frame in lane.frames)

    @property
    def any_ready(self) -> bool:
        """Whether a frame may be offered."""
        if not self._ahead:
            return len(self._lanes) > self._aside
        return any(not lane.aside and task_id not in self._ahead for task_id, lane in self._lanes.items())

    @property
    def any_aside(self) -> bool:
        """Whether a frame waits to be brought back."""
        return self._aside > 0

    def stay_behind(self, others: Lanes) -> None:
        """From now on, offer nothing of a task that has a frame there."""
        self._ahead = others._lanes.keys()

    def add(self, position: int, events: Iterable[HeldEvent]) -> None:
        """Put events, of which the first has this position, at the end of their tasks' lanes."""
        lanes = self._lanes
        for number, event in enumerate(events, position):
            lane = lanes.get(event.task_id)
            if lane is None:
                lanes[event.task_id] = _Lane(frame_of(event, number))
                continue
            frame = lane.later[-1] if lane.later else lane.first
            if isinstance(frame.events, list) and self._fits(frame, event):
                frame.topology_kind = frame.topology_kind or event.topology_kind
                frame.events.append(event)
                frame.size += len(event.data)
                frame.tells = event.tells or frame.tells
            else:
                lane.append(frame_of(event, number))

    def next_batch(self, *, now_ms: int, max_events: int, max_bytes: int) -> list[PendingFrame]:
        """The first frame of each lane that may go, until the batch is full."""
        batch: list[PendingFrame] = []
        events = size = 0
        ahead = self._ahead
        for task_id, lane in self._lanes.items():
            if lane.aside or task_id in ahead:
                continue
            frame = lane.first
            frame.freeze(now_ms)
            frame.is_under_way = True
            batch.append(frame)
            events, size = events + len(frame.events), size + frame.size
            if events >= max_events or size >= max_bytes:
                break
        return batch

    def settle(self, batch: Sequence[PendingFrame], results: Sequence[AppendResult]) -> Settlement:
        """Take in what the log answered to a batch, one result for each frame.

        A frame that failed stays the first of its lane. Its lane is set aside, unless it is the store
        that fails; it is given up, with all that waits behind it, when it was refused too often.
        """
        before = self._tally.taken
        stored: list[PendingFrame] = []
        failed: list[tuple[_Lane, NotAppended]] = []
        for frame, result in zip(batch, results, strict=True):
            frame.is_under_way = False
            if isinstance(result, Appended):
                stored.append(frame)
                self._appended(frame)
            else:
                frame.is_doubtful = result.outcome is Outcome.UNKNOWN
                failed.append((self._lanes[frame.task_id], result))
        self._tally.taken += len(stored)
        for lane, result in failed:
            self._refused(lane, result.ruling.trouble, before)
        failure = None if stored else self._failure_of_the_store([result for _, result in failed])
        if failure is not None:
            self.bring_back()
            return Settlement(stored=stored, given_up=[], failure=failure)
        given_up: list[PendingFrame] = []
        for lane, _ in failed:
            if lane.refusals >= self._refusal_limit:
                given_up += self._lanes.pop(lane.first.task_id).frames
            else:
                lane.aside = True
                self._aside += 1
        return Settlement(stored=stored, given_up=given_up)

    def put_back(self, frames: Iterable[PendingFrame]) -> None:
        """These were stored and are lost: offer them again, before all else of their tasks."""
        by_task: dict[TaskId, list[PendingFrame]] = {}
        for frame in frames:
            frame.is_repeated = True
            frame.is_spooled = False  # what the spool had of it was done with when it was stored
            by_task.setdefault(frame.task_id, []).append(frame)
        for task_id, repeated in by_task.items():
            lane = self._lanes.get(task_id)
            if lane is None:
                self._lanes[task_id] = _lane_of(repeated)
            else:
                lane.hold([*repeated, *lane.frames])

    def take_in(self, frames: Iterable[PendingFrame]) -> None:
        """Put frames, in order within a task, at the end of their lanes."""
        for frame in frames:
            lane = self._lanes.get(frame.task_id)
            if lane is None:
                self._lanes[frame.task_id] = _Lane(frame)
            else:
                lane.append(frame)

    def to_spool(self, *, hopeless_refusals: int | None = None) -> list[PendingFrame]:
        """All that is not in the spool yet; leaving out, when asked, lanes that were refused so often."""
        return [
            frame
            for lane in self._lanes.values()
            if hopeless_refusals is None or lane.refusals < hopeless_refusals
            for frame in lane.frames
            if not frame.is_spooled
        ]

    def remove(self, frames: Collection[PendingFrame]) -> list[PendingFrame]:
        """These wait elsewhere now; those of them that were still here."""
        gone = set(frames)
        removed: list[PendingFrame] = []
        for task_id in {frame.task_id for frame in gone} & self._lanes.keys():
            lane = self._lanes[task_id]
            removed += [frame for frame in lane.frames if frame in gone]
            left = [frame for frame in lane.frames if frame not in gone]
            if left:
                lane.hold(left)
            else:
                self._aside -= lane.aside
                del self._lanes[task_id]
        return removed

    def bring_back(self) -> None:
        """Offer again what was set aside."""
        for lane in self._lanes.values():
            lane.aside = False
        self._aside = 0

    def first_position(self, *, default: int, hopeless_refusals: int | None = None) -> int:
        """The first position that is here; leaving out, when asked, lanes that were refused so often."""
        positions = [
            next((frame.position for frame in lane.frames if not frame.is_spooled), default)
            for lane in self._lanes.values()
            if hopeless_refusals is None or lane.refusals < hopeless_refusals
        ]
        return min(positions, default=default)

    def _appended(self, frame: PendingFrame) -> None:
        later = self._lanes.pop(frame.task_id).later
        if later:  # after the lanes of others
            self._lanes[frame.task_id] = _lane_of(later)

    def _refused(self, lane: _Lane, trouble: Trouble, taken_before: int) -> None:
        # Of the nodes of a cluster one may load, or be full, while others take what they are given.
        if trouble is Trouble.STORE:
            return
        # A refusal that does not say whose trouble it is speaks against a task only when the log has
        # taken something of another since it last refused this one.
        since = taken_before if lane.refused_at is None else lane.refused_at
        lane.refusals += trouble is Trouble.TASK or self._tally.taken > since
        lane.refused_at = self._tally.taken

    def _failure_of_the_store(self, failed: Sequence[NotAppended]) -> NotAppended | None:
        for result in failed:
            if result.ruling.trouble is Trouble.STORE:
                return result
        # One task that is refused may be its own trouble; two are the store's, without other evidence.
        suspected = sum(lane.refused_at is not None and not lane.refusals for lane in self._lanes.values())
        unclear = (result for result in failed if result.ruling.trouble is Trouble.UNCLEAR)
        return next(unclear, None) if suspected > 1 else None

    def _fits(self, frame: PendingFrame, event: HeldEvent) -> bool:
        return (
            len(frame.events) < self._frame_events
            and frame.size + len(event.data) <= self._frame_bytes
            and (
                frame.topology_kind is None
                or event.topology_kind is None
                or frame.topology_kind == event.topology_kind
            )
        )


def _lane_of(frames: Sequence[PendingFrame]) -> _Lane:
    return _Lane(frames[0], list(frames[1:]) or None)
