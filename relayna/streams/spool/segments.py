"""Segments: the files that hold what the log does not take yet.

Owns their names, how one is written, and what makes one durable. Knows no bounds, and judges no error:
every `OSError` goes to whoever asked.

A segment is named `<begun>-<salt>.segment`: the millisecond in which it was begun, so that names sort
by age, and its salt in hex, so that it can be read although its header is damaged.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from pathlib import Path
from typing import Final

from msgspec import Struct

from relayna.streams.spool.record_format import HEADER_BYTES, SALT_BYTES, encode_header, encode_records

__all__ = ["OpenSegment", "SegmentFile", "is_the_same_file", "segment_file", "sync_folder"]

_NAME: Final = re.compile(r"(\d{1,16})-([0-9a-f]{16})\.segment")


class SegmentFile(Struct, frozen=True, kw_only=True):
    """A segment that nobody writes to any more."""

    path: Path
    begun_ms: int
    """Milliseconds since the Unix epoch."""
    salt: bytes
    size: int
    """Bytes."""


def segment_file(path: Path) -> SegmentFile | None:
    """The segment at this path; nothing when its name is not a segment's. Raises `OSError`."""
    named = _NAME.fullmatch(path.name)
    if named is None:
        return None
    size = path.stat(follow_symlinks=False).st_size
    return SegmentFile(path=path, begun_ms=int(named[1]), salt=bytes.fromhex(named[2]), size=size)


class OpenSegment:
    """The segment that is being written. Belongs to one process; every method may raise `OSError`."""

    def __init__(self, folder: Path, begun_ms: int) -> None:
        """Begin a new one. Nothing is left behind when that fails."""
        self.begun_ms = begun_ms
        self.salt = os.urandom(SALT_BYTES)
        self.path = folder / f"{begun_ms:013d}-{self.salt.hex()}.segment"
        self.size = 0
        self.is_confirmed = False
        """Whether any of it was ever made durable."""
        self.is_torn = False
        """Whether it ends in a part of a record that could not be taken back: nothing may be added."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        self._descriptor = os.open(self.path, flags, 0o600)
        try:
            self._write(encode_header(self.salt))
        except OSError:
            self.discard()
            raise

    @property
    def is_empty(self) -> bool:
        """Whether it holds no record."""
        return self.size <= HEADER_BYTES

    def append(self, payloads: list[bytes]) -> None:
        """Write a record for each, or none of them. Raises `ValueError` as `encode_records` does."""
        self._write(encode_records(payloads, self.salt))

    def sync(self) -> None:
        """Return when all that was written outlives the machine."""
        if not self.is_there():
            raise FileNotFoundError(errno.ENOENT, "the segment was deleted or moved away", str(self.path))
        os.fsync(self._descriptor)
        if not self.is_confirmed:
            sync_folder(self.path.parent)
        self.is_confirmed = True

    def is_there(self) -> bool:
        """Whether the file that is written to is still the one of this name."""
        return is_the_same_file(self._descriptor, self.path)

    def file(self) -> SegmentFile:
        """What it is once it is closed."""
        return SegmentFile(path=self.path, begun_ms=self.begun_ms, salt=self.salt, size=self.size)

    def close(self) -> None:
        """Write no more. Never raises."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with contextlib.suppress(OSError):  # nothing hangs on it: what must be durable was synced
                os.close(descriptor)

    def discard(self) -> None:
        """Close and delete it, when it can be deleted."""
        self.close()
        with contextlib.suppress(OSError):  # it stays, and is drained as any other
            self.path.unlink()

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                written = os.write(self._descriptor, view)
                if not written:
                    raise OSError(errno.EIO, os.strerror(errno.EIO), str(self.path))
                view = view[written:]
        except OSError:
            self._take_back()
            raise
        self.size += len(data)

    def _take_back(self) -> None:
        try:
            os.ftruncate(self._descriptor, self.size)
        except OSError:
            self.is_torn = True


def is_the_same_file(descriptor: int, path: Path) -> bool:
    """Whether the open file is (still) the one at this path. Raises no error for a path that is gone."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat(follow_symlinks=False))
    except OSError:
        return False


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable: a file outlives the machine only when its name does. Raises `OSError`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
