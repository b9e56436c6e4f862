"""The way out of the spool: what waits, oldest segment first, ours and that of producers that died.

Owns the list of segments that nobody writes to, and what becomes of each. There is no ledger: a segment
is deleted when all of it is in the log, and one that is drained twice leaves repeats in the log, which
readers drop by event id. Not safe to use from several threads, except `read` and what is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from pathlib import Path
from typing import Final

from relayna.instants import Instant
from relayna.signals import Counters
from relayna.streams.log import Append
from relayna.streams.spool.directory import SpoolDirectory
from relayna.streams.spool.payload import decode_append
from relayna.streams.spool.producer_folder import ProducerFolder
from relayna.streams.spool.record_format import FORMAT_VERSION, scan
from relayna.streams.spool.results import SpoolBatch, SpoolToken
from relayna.streams.spool.segments import SegmentFile

__all__ = ["Drainer"]

_logger: Final = logging.getLogger("relayna.spool")


class Drainer:
    """Hands out the segments of a directory that are ours to drain."""

    def __init__(self, directory: SpoolDirectory, counters: Counters) -> None:
        self._directory = directory
        self._counters = counters
        self._waiting: dict[Path, SegmentFile] = {}
        self._damaged: set[Path] = set()
        self._adopted: list[ProducerFolder] = []
        self._passed_over: set[Path] = set()  # what this process can do nothing more about
        self.unread: set[Path] = set()
        """Segments that could not be read, and lie there still."""

    @property
    def held_bytes(self) -> int:
        """Bytes that wait."""
        # Copied in one step, here and below: another thread may be draining.
        return sum(segment.size for segment in list(self._waiting.values()))

    def add(self, segment: SegmentFile) -> None:
        """One more that nobody writes to."""
        self._waiting[segment.path] = segment

    def oldest(self, besides: Collection[SpoolToken] = ()) -> SegmentFile | None:
        """The one to be drained next, when those are being drained."""
        waiting = list(self._waiting.values())
        return min((one for one in waiting if str(one.path) not in besides), key=_age, default=None)

    def all(self) -> list[SegmentFile]:
        """All of them, in that order."""
        return sorted(self._waiting.values(), key=_age)

    def adopt(self, own: ProducerFolder | None) -> None:
        """Take over what dead producers left."""
        ours = {folder.path for folder in (own, *self._adopted) if folder is not None}
        for folder in self._directory.adopt(ours):
            readable = [segment for segment in folder.found if segment.path not in self._passed_over]
            if not readable:
                folder.release()
                continue
            _logger.info("Adopted what a dead producer left in %s", folder.path)
            self._adopted.append(folder)
            for segment in readable:
                self.add(segment)

    def expire(self) -> None:
        """Delete what is older than anything is kept. Raises `OSError`."""
        self._directory.expire_kept()
        for segment in list(self._waiting.values()):
            try:
                is_expired = self._directory.is_expired(segment.path)
            except FileNotFoundError:  # reading it will tell
                continue
            if is_expired:
                _logger.error(
                    "Waited too long for the store and is deleted with its events: %s", segment.path
                )
                self._counters.increment("relayna_spool_lost_bytes_total", segment.size, reason="expired")
                self._directory.delete(segment.path, segment.size)
                self._forget(segment)

    def read(self, segment: SegmentFile) -> SpoolBatch | None:
        """All that is whole in it; nothing when it cannot be read now. Does not look at what else waits."""
        try:
            data = segment.path.read_bytes()
        except OSError as error:
            _logger.error("A segment of the spool cannot be read and is passed over: %s", error)
            self.unread.add(segment.path)
            return None
        found = scan(data, salt=segment.salt)
        if found.version != FORMAT_VERSION:
            _logger.error(
                "%s has format version %d, of a newer relayna: left for one that reads it",
                segment.path,
                found.version,
            )
            self.unread.add(segment.path)
            return None
        decoded = [(payload, decode_append(payload)) for payload in found.payloads]
        appends: list[Append] = [append for _, append in decoded if append is not None]
        strange = sum(len(payload) for payload, append in decoded if append is None)
        return SpoolBatch(
            token=SpoolToken(str(segment.path)),
            appends=appends,
            begun=Instant(segment.begun_ms * 1000),
            damaged_bytes=found.damaged_bytes + strange,
        )

    def judge(self, segment: SegmentFile, batch: SpoolBatch | None) -> None:
        """Note what was read of it: one that cannot be read is not offered again by this process."""
        if batch is None:
            self._passed_over.add(segment.path)
            self._forget(segment)
        elif batch.damaged_bytes and segment.path not in self._damaged:
            self._damaged.add(segment.path)
            _logger.error(
                "%s is damaged: %d bytes hold no whole record; %d frames are recovered",
                segment.path,
                batch.damaged_bytes,
                len(batch.appends),
            )
            self._counters.increment("relayna_spool_lost_bytes_total", batch.damaged_bytes, reason="damaged")

    def done(self, token: SpoolToken) -> None:
        """All of this batch is in the log. Never raises: at worst another process drains it once more."""
        segment = self._waiting.get(Path(token))
        if segment is None:  # expired meanwhile, or done already
            return
        try:
            if segment.path in self._damaged:
                self._directory.keep_aside(segment)
            else:
                self._directory.delete(segment.path, segment.size)
        except FileNotFoundError:
            pass  # somebody deleted it, which is what was wanted
        except OSError as error:
            _logger.warning("A drained segment cannot be removed and may be drained again: %s", error)
            self._passed_over.add(segment.path)
        self._forget(segment)

    def close(self) -> None:
        """Leave what was adopted to others."""
        while self._adopted:
            self._adopted.pop().release()
        self._waiting.clear()

    def forget(self) -> None:
        """Let go of the parent's files, in a forked child."""
        for folder in self._adopted:
            folder.forget()

    def _forget(self, segment: SegmentFile) -> None:
        del self._waiting[segment.path]
        self._damaged.discard(segment.path)
        for folder in self._adopted:
            if folder.path == segment.path.parent and not self._waits_in(folder):
                self._adopted.remove(folder)
                folder.release()
                return

    def _waits_in(self, folder: ProducerFolder) -> bool:
        return any(path.parent == folder.path for path in self._waiting)


def _age(segment: SegmentFile) -> tuple[int, Path]:
    return segment.begun_ms, segment.path
