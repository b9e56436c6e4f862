"""The way into the spool: one segment after another, in a folder of our own.

Owns the open segment, and what was written since the last time that the disk confirmed it. Not safe to
use from several threads. What it cannot do it raises: `OSError` as it comes, and `SpoolFull`.

A failed fsync is never tried again on the same file: the kernel has told its error once and may have
dropped the pages it could not write, so that the next fsync succeeds although the data is gone
(https://wiki.postgresql.org/wiki/Fsync_Errors; Rebello et al., "Can Applications Recover from fsync
Failures?", USENIX ATC 2020). What was not confirmed is kept in memory until it is, and written to a new
segment.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from relayna.clock import Clock
from relayna.streams.spool.directory import SpoolDirectory
from relayna.streams.spool.producer_folder import ProducerFolder
from relayna.streams.spool.record_format import HEADER_BYTES, RECORD_OVERHEAD
from relayna.streams.spool.segments import OpenSegment, SegmentFile

__all__ = ["FsyncPolicy", "Writer"]

FsyncPolicy: TypeAlias = Literal["durable", "always", "never"]
"""When the disk is waited for: when someone waits for durability, at every write, or never."""

_logger: Final = logging.getLogger("relayna.spool")


class Writer:
    """Writes segments of about `segment_bytes`, and gives each to `closed` when it is closed."""

    def __init__(
        self,
        directory: SpoolDirectory,
        *,
        producer: str,
        fsync: FsyncPolicy,
        segment_bytes: int,
        clock: Clock,
        closed: Callable[[SegmentFile], None],
    ) -> None:
        self._directory = directory
        self._producer = producer
        self._fsync = fsync
        self._segment_bytes = segment_bytes
        self._clock = clock
        self._closed = closed
        self._segment: OpenSegment | None = None
        self._unconfirmed: list[bytes] = []
        self.folder: ProducerFolder | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits here: all that was put was given to `closed`."""
        segment = self._segment  # read once, here and below: another thread may be writing
        return (segment is None or segment.is_empty) and not self._unconfirmed

    @property
    def held_bytes(self) -> int:
        """Bytes that wait here."""
        segment = self._segment
        return 0 if segment is None else segment.size - HEADER_BYTES

    @property
    def begun_ms(self) -> int | None:
        """When the open segment was begun, if there is one that holds anything."""
        segment = self._segment
        return None if segment is None or segment.is_empty else segment.begun_ms

    def put(self, payloads: list[bytes]) -> int:
        """Write all or none; how many bytes it took."""
        size = sum(len(payload) + RECORD_OVERHEAD for payload in payloads)
        self._directory.make_room(size)
        segment = self._segment_for(size)
        self._append(segment, payloads)
        if self._fsync != "never":
            self._unconfirmed += payloads
        if self._fsync == "always":
            try:
                self.confirm()
            except OSError:
                self._unconfirmed.clear()  # they are the caller's again
                raise
        return size

    def confirm(self) -> None:
        """Return when all that was put outlives the machine."""
        if not self._unconfirmed:
            return
        try:
            self._open_segment().sync()
        except OSError as error:
            _logger.warning("fsync failed in the spool, writing to a new segment: %s", error)
            self._abandon()
            try:
                self._open_segment().sync()
            except OSError:
                self._abandon()
                raise
        self._unconfirmed.clear()

    def take_unconfirmed(self) -> list[bytes]:
        """The payloads that the disk did not confirm. They are forgotten here."""
        taken, self._unconfirmed = self._unconfirmed, []
        return taken

    def close_segment(self) -> None:
        """Write no more to the open segment, so that it can be drained."""
        self.confirm()
        if self._segment is not None and not self._segment.is_empty:
            self._close_segment()

    def close(self) -> None:
        """Leave the folder: what was closed is for whoever adopts it. Never raises."""
        if self._segment is not None and self._segment.is_empty:
            self._directory.grow(-self._segment.size)
            self._segment.discard()
            self._segment = None
        self._close_segment()
        if self.folder is not None:
            self.folder.release()
            self.folder = None

    def forget(self) -> None:
        """Let go of the parent's files, in a forked child."""
        if self._segment is not None:
            self._segment.close()
        if self.folder is not None:
            self.folder.forget()

    def _segment_for(self, size: int) -> OpenSegment:
        if self._segment is not None and not self._segment.is_there():
            _logger.warning("The spool's segment %s was deleted while it was written", self._segment.path)
            self._abandon()
        segment = self._open_segment()
        if not segment.is_empty and segment.size + size > self._segment_bytes:
            # This also bounds what is not confirmed, and so what is kept in memory.
            self.close_segment()
            segment = self._open_segment()
        return segment

    def _open_segment(self) -> OpenSegment:
        """The open segment, or a new one, in which all lies that is not confirmed."""
        if self._segment is not None:
            return self._segment
        self._directory.look()
        segment = self._own_folder().begin_segment(self._clock.now() // 1000)
        if self._unconfirmed:
            try:
                segment.append(self._unconfirmed)
            except OSError:
                segment.discard()
                raise
        self._directory.grow(segment.size)
        self._segment = segment
        return segment

    def _own_folder(self) -> ProducerFolder:
        if self.folder is not None and not self.folder.is_there():
            self.folder.forget()
            self.folder = None
        if self.folder is None:
            self.folder = self._directory.claim(self._producer)
            for segment in self.folder.found:
                self._closed(segment)
        return self.folder

    def _append(self, segment: OpenSegment, payloads: list[bytes]) -> None:
        before = segment.size
        try:
            segment.append(payloads)
        except OSError:
            if segment.is_torn:
                self._abandon()
            raise
        finally:
            self._directory.grow(segment.size - before)

    def _abandon(self) -> None:
        """Trust the open segment no more. What it alone may hold is left to be drained."""
        segment = self._segment
        if segment is not None and not segment.is_confirmed and self._fsync != "never":
            self._directory.grow(-segment.size)
            segment.discard()  # all of it is still in memory
            self._segment = None
        self._close_segment()

    def _close_segment(self) -> None:
        segment, self._segment = self._segment, None
        if segment is not None:
            segment.close()
            self._closed(segment.file())
