"""The directory of a spool, which several processes share: who is there, and how much it holds.

Owns the bounds: by bytes over everything in it, by age for each file. Knows nothing of records.

    <directory>/<producer>/lock                          held while the producer lives
    <directory>/<producer>/<begun>-<salt>.segment        what waits
    <directory>/<producer>-<begun>-<salt>.damaged        was drained as far as it is whole; kept to be looked at
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from relayna.clock import Clock
from relayna.errors import SpoolFull
from relayna.streams.spool.producer_folder import ProducerFolder, adopt_folder, claim_folder
from relayna.streams.spool.segments import SegmentFile

__all__ = ["SpoolDirectory"]

_DAMAGED: Final = ".damaged"
_logger = logging.getLogger("relayna.spool")


class SpoolDirectory:
    """Bounds are in bytes and seconds. What is counted of others is as of the last look."""

    def __init__(self, path: Path, *, max_bytes: int, max_age_seconds: float, clock: Clock) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._max_age_seconds = max_age_seconds
        self._clock = clock
        self._used = 0

    def claim(self, producer: str) -> ProducerFolder:
        """A folder to write to, made when it is not there. Raises `OSError`."""
        return claim_folder(self.path, producer)

    def adopt(self, ours: Collection[Path]) -> list[ProducerFolder]:
        """The folders, other than ours, whose producers are dead; those that are empty are deleted."""
        adopted: list[ProducerFolder] = []
        for path in self._folders():
            if path in ours:
                continue
            try:
                folder = adopt_folder(path)
            except OSError as error:
                _logger.warning("Cannot look after %s: %s", path, error)
                continue
            if folder is not None and folder.found:
                adopted.append(folder)
            elif folder is not None:
                folder.release()
        return adopted

    def make_room(self, size: int) -> None:
        """Return when so many bytes more are within the bound. Raises `SpoolFull`, `OSError`.

        Damaged segments that are kept to be looked at make room for what still waits, oldest first.
        """
        if self._used + size <= self._max_bytes:
            return
        self.look()
        for kept in self._kept():
            if self._used + size <= self._max_bytes:
                return
            self.delete(kept, _size(kept))
        if self._used + size > self._max_bytes:
            problem = f"it holds {self._used} bytes of {self._max_bytes}, and {size} more were offered"
            raise SpoolFull(str(self.path), problem)

    def look(self) -> None:
        """Count what everyone has in it."""
        folders = (path for folder in self._folders() for path in _files(folder))
        self._used = sum(_size(path) for path in (*folders, *_files(self.path)))

    def grow(self, size: int) -> None:
        """We wrote so many bytes."""
        self._used += size

    def delete(self, path: Path, size: int) -> None:
        """Raises `OSError`, unless it is gone already."""
        path.unlink(missing_ok=True)
        self._used -= size

    def keep_aside(self, segment: SegmentFile) -> None:
        """Keep a damaged segment for people to look at, for the full age from now on. Raises `OSError`."""
        kept = self.path / f"{segment.path.parent.name}-{segment.path.stem}{_DAMAGED}"
        segment.path.rename(kept)
        now = self._clock.now() / 1_000_000
        os.utime(kept, (now, now))

    def is_expired(self, path: Path) -> bool:
        """Whether nothing was written to it for longer than anything is kept. Raises `OSError`."""
        return path.stat().st_mtime < self._clock.now() / 1_000_000 - self._max_age_seconds

    def expire_kept(self) -> None:
        """Delete the damaged segments that were kept long enough."""
        for path in self._kept():
            with contextlib.suppress(FileNotFoundError):  # another process was quicker
                if self.is_expired(path):
                    self.delete(path, _size(path))

    def _folders(self) -> list[Path]:
        try:
            return sorted(path for path in self.path.iterdir() if path.is_dir() and not path.is_symlink())
        except FileNotFoundError:  # nobody has put anything yet
            return []

    def _kept(self) -> list[Path]:
        kept = [path for path in _files(self.path) if path.suffix == _DAMAGED]
        return sorted(kept, key=lambda path: path.name.rsplit("-", 2)[-2:])


def _files(folder: Path) -> Iterator[Path]:
    try:
        yield from [path for path in folder.iterdir() if path.is_file() and not path.is_symlink()]
    except (FileNotFoundError, PermissionError):  # deleted meanwhile, or another user's
        return


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # drained meanwhile
        return 0
