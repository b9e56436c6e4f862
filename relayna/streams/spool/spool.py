"""The spool: frames that the log does not take, kept on local disk until it does.

Owns who may use it when: threads one at a time, a forked child only its own part, a directory shared
with other processes. Waits for disks and for nothing else; whoever runs an event loop calls it in a
thread. Never raises for what a disk does: that is in the results.
"""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final, get_args

from relayna.clock import Clock, SystemClock
from relayna.errors import InvalidSetting, SpoolError, SpoolFailed, SpoolFull
from relayna.instants import Instant
from relayna.mint import Mint, RandomMint
from relayna.signals import Counters, ForwardedMeasures, Measures
from relayna.streams.forking import after_fork
from relayna.streams.log import DEFAULT_RETENTION_SECONDS, Append
from relayna.streams.spool.directory import SpoolDirectory
from relayna.streams.spool.drainer import Drainer
from relayna.streams.spool.payload import decode_append, encode_append
from relayna.streams.spool.record_format import MAX_PAYLOAD_BYTES
from relayna.streams.spool.results import (
    NotSynced,
    NotWritten,
    SpoolBatch,
    SpoolResult,
    SpoolToken,
    Synced,
    SyncResult,
    Written,
)
from relayna.streams.spool.segments import SegmentFile
from relayna.streams.spool.writer import FsyncPolicy, Writer

__all__ = ["Spool"]

_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_logger: Final = logging.getLogger("relayna.spool")


class Spool:
    """Frames in order, in a directory on a local disk that may be shared with other processes.

    `max_bytes` bounds the whole directory, give or take a segment of each process that writes to it;
    what was last written to `max_age_seconds` ago is deleted. With fsync "durable" the disk is waited
    for in `sync` and at the end of each segment, with "always" in every `put`, with "never" not at all.

    Safe to use from any thread. Nothing is touched on disk until the first use.
    """

    def __init__(
        self,
        directory: Path | str,
        *,
        max_bytes: int = 1 << 30,
        max_age_seconds: float = DEFAULT_RETENTION_SECONDS,
        segment_bytes: int = 4 << 20,
        fsync: FsyncPolicy = "durable",
        clock: Clock | None = None,
        mint: Mint | None = None,
        counters: Counters | None = None,
    ) -> None:
        """Sizes in bytes, ages in seconds. Raises `InvalidSetting`."""
        if fsync not in get_args(FsyncPolicy):
            raise InvalidSetting("fsync", "argument", f"{fsync!r} is not one of durable, always, never")
        if not 0 < segment_bytes <= max_bytes:
            problem = f"{segment_bytes} is not between 1 and max_bytes ({max_bytes})"
            raise InvalidSetting("segment_bytes", "argument", problem)
        self._clock = clock or SystemClock()
        self._mint = mint or RandomMint()
        self._counters = ForwardedMeasures(counters)
        self._counters.watch("relayna_spool_bytes", self._read_bytes)
        self._fsync: FsyncPolicy = fsync
        self._segment_bytes = segment_bytes
        self._directory = SpoolDirectory(
            Path(directory).absolute(),
            max_bytes=max_bytes,
            max_age_seconds=max_age_seconds,
            clock=self._clock,
        )
        self._begin()
        after_fork(self._begin_in_child)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._drainer = Drainer(self._directory, self._counters)
        self._writer = Writer(
            self._directory,
            producer=self._mint.producer(),
            fsync=self._fsync,
            segment_bytes=self._segment_bytes,
            clock=self._clock,
            closed=self._drainer.add,
        )

    def _begin_in_child(self) -> None:
        # What the parent wrote and adopted stays the parent's; its locks last only as long as
        # nobody else keeps their files open.
        self._writer.forget()
        self._drainer.forget()
        self._begin()

    @property
    def directory(self) -> Path:
        """Where it lies."""
        return self._directory.path

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits that this process knows of: `drain` may find more, of producers that died."""
        return not self.holds_more_than(())

    def holds_more_than(self, tokens: Collection[SpoolToken]) -> bool:
        """The same of what waits besides these segments."""
        return self._drainer.oldest(tokens) is not None or not self._writer.is_empty

    @property
    def held_bytes(self) -> int:
        """Bytes that wait to be drained by this process."""
        return self._drainer.held_bytes + self._writer.held_bytes

    @property
    def unread_segments(self) -> int:
        """How many this process could not read so far; they lie there still."""
        return len(self._drainer.unread)

    @property
    def oldest(self) -> Instant | None:
        """Since when the oldest of it may be waiting; nothing when nothing waits."""
        segment = self._drainer.oldest()
        begun_ms = self._writer.begun_ms if segment is None else segment.begun_ms
        return None if begun_ms is None else Instant(begun_ms * 1000)

    def report_to(self, measures: Measures) -> None:
        """Report there, unless it was told where when it was made."""
        self._counters.report_to(measures)

    def put(self, appends: Sequence[Append]) -> SpoolResult:
        """Write all of these or none."""
        payloads = [encode_append(append) for append in appends]
        longest = max(map(len, payloads), default=0)
        if longest > MAX_PAYLOAD_BYTES:
            problem = (
                f"a frame takes {longest} bytes and may take {MAX_PAYLOAD_BYTES}; use a smaller flush_bytes"
            )
            return NotWritten(self._counted(SpoolFailed(str(self.directory), problem), len(appends)))
        with self._lock:
            try:
                size = self._writer.put(payloads) if payloads else 0
            except (OSError, SpoolError) as error:
                return NotWritten(self._counted(self._told(error), len(appends)))
        self._counters.increment("relayna_spool_frames_total", len(appends), outcome="written")
        return Written(size)

    def sync(self) -> SyncResult:
        """Wait until all that was put outlives the machine.

        When the disk fails once, what it did not confirm is written anew to another segment; when it
        fails again, that is handed back.
        """
        with self._lock:
            try:
                self._writer.confirm()
            except OSError as error:
                taken = [decode_append(payload) for payload in self._writer.take_unconfirmed()]
                appends = [append for append in taken if append is not None]
                return NotSynced(self._counted(self._told(error), len(appends)), appends)
        return Synced()

    def drain(self, *, besides: Collection[SpoolToken] = ()) -> SpoolBatch | None:
        """The oldest segment that waits, leaving out `besides`; nothing when none does, or none can be read.

        The same one again, until it is `done`. Looks for producers that died, so it is worth asking at
        the start, and now and then, even when `is_empty`.
        """
        self._look_around()
        while (segment := self._next(besides)) is not None:
            batch = self._drainer.read(segment)  # without the lock: nobody waits for a long read
            with self._lock:
                if self._drainer.oldest(besides) is not segment:
                    continue  # another thread was quicker
                self._drainer.judge(segment, batch)
                if batch is not None and batch.appends:
                    return batch
                if batch is not None:
                    self._drainer.done(batch.token)
        return None

    def waiting(self) -> Iterator[SpoolBatch]:
        """All that dead producers left, oldest first; nothing is changed. Hands out one segment at a time."""
        with self._lock:
            self._drainer.adopt(self._writer.folder)
            segments = self._drainer.all()
        for segment in segments:
            batch = self._drainer.read(segment)
            if batch is not None:
                yield batch

    def done(self, token: SpoolToken) -> None:
        """All of this batch is in the log, or given up: it is not needed any more."""
        with self._lock:
            self._drainer.done(token)

    def close(self) -> SyncResult:
        """Make all durable and leave it to whoever comes next; a later use begins anew."""
        result = self.sync()
        with self._lock:
            self._writer.close()
            self._drainer.close()
        return result

    def _read_bytes(self) -> float:
        return self.held_bytes

    def _look_around(self) -> None:
        with self._lock:
            try:
                self._drainer.adopt(self._writer.folder)
                self._drainer.expire()
            except OSError as error:
                _logger.warning("%s", self._told(error))

    def _next(self, besides: Collection[SpoolToken]) -> SegmentFile | None:
        with self._lock:
            if self._drainer.oldest(besides) is None:
                try:
                    self._writer.close_segment()
                except OSError as error:
                    _logger.warning("%s", self._told(error))
            return self._drainer.oldest(besides)

    def _told(self, error: OSError | SpoolError) -> SpoolError:
        if isinstance(error, SpoolError):
            return error
        told = SpoolFull if error.errno in _NO_ROOM else SpoolFailed
        return told(str(self.directory), str(error))

    def _counted(self, error: SpoolError, frames: int) -> SpoolError:
        outcome = "full" if isinstance(error, SpoolFull) else "failed"
        self._counters.increment("relayna_spool_frames_total", frames, outcome=outcome)
        return error
