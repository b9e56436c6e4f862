"""A producer's own folder: its segments, and the lock that says whether the producer still lives.

Owns who may write and drain there: whoever holds an exclusive `flock` on `lock`. The system drops the
lock with its process, however that ended, and from then on another may adopt what it left. Every
function may raise `OSError`.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import Final

from relayna.streams.spool.segments import (
    OpenSegment,
    SegmentFile,
    is_the_same_file,
    segment_file,
    sync_folder,
)

__all__ = ["ProducerFolder", "adopt_folder", "claim_folder"]

_LOCK: Final = "lock"
_ATTEMPTS: Final = 16


class ProducerFolder:
    """A folder whose lock this process holds."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock
        self.found = self.segments()
        """What a dead owner left in it, oldest first."""
        self._last_ms = self.found[-1].begun_ms if self.found else 0

    def segments(self) -> list[SegmentFile]:
        """Every segment in it, oldest first."""
        found = [segment_file(path) for path in self.path.iterdir()]
        return sorted((one for one in found if one is not None), key=lambda one: one.begun_ms)

    def begin_segment(self, now_ms: int) -> OpenSegment:
        """A new segment, later than all there are even when the clock was set back."""
        self._last_ms = max(now_ms, self._last_ms + 1)
        return OpenSegment(self.path, self._last_ms)

    def is_there(self) -> bool:
        """Whether it is still where it was, and ours."""
        return is_the_same_file(self._lock, self.path / _LOCK)

    def release(self) -> None:
        """Leave it, with what it holds, to whoever adopts it. Deletes it when it is empty."""
        with contextlib.suppress(OSError):  # then it is for whoever adopts it
            if self.is_there() and not self.segments():
                # Deleted while it is locked: who has opened this file meanwhile sees that it is gone.
                (self.path / _LOCK).unlink()
                self.path.rmdir()
        self.forget()

    def forget(self) -> None:
        """Close the lock's file, as a forked child must: the parent's lock stays the parent's."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            with contextlib.suppress(OSError):
                os.close(lock)


def claim_folder(directory: Path, producer: str) -> ProducerFolder:
    """A folder of our own: of the producer's name, with a number when that is a living one's."""
    is_new = not directory.exists()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in range(_ATTEMPTS):
        path = directory / (f"{producer}-{number}" if number else producer)
        path.mkdir(mode=0o700, exist_ok=True)
        folder = adopt_folder(path)
        if folder is None:
            continue
        try:
            sync_folder(directory)
            if is_new:
                sync_folder(directory.parent)
        except OSError:
            folder.release()
            raise
        return folder
    taken = f"{_ATTEMPTS} folders of this producer's name are in use"
    raise BlockingIOError(errno.EAGAIN, taken, str(directory / producer))


def adopt_folder(path: Path) -> ProducerFolder | None:
    """The folder, when nobody else holds its lock; nothing when its owner lives, or it was just deleted."""
    try:
        lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        if _lock_at_once(lock) and is_the_same_file(lock, path / _LOCK):
            return ProducerFolder(path, lock)
    except OSError:
        os.close(lock)
        raise
    os.close(lock)
    return None


def _lock_at_once(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        raise OSError(errno.ENOTSUP, "this system has no flock, which the spool needs") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
