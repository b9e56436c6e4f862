"""Payloads in a local directory: `TENANT/ab/cdef…`, each file written whole or not at all.

Owns the layout and the files' permissions: their owner alone may read them (0600, folders 0700).
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from functools import partial
from pathlib import Path

from relayna.storage.blocking_calls import BlockingCalls
from relayna.storage.payload_errors import PayloadNotFound, PayloadStorageFailed
from relayna.storage.payload_storage import DEFAULT_TENANT, checked_key, checked_owner, payload_key, verified

__all__ = ["LocalDirectoryStorage"]


class LocalDirectoryStorage:
    """A `PayloadStorage` in a directory, which is made when something is stored first."""

    def __init__(self, directory: str | os.PathLike[str], *, tenant: str = DEFAULT_TENANT) -> None:
        """Touches nothing yet. Raises `InvalidSetting` for a tenant whose name cannot be a folder's."""
        self._directory = Path(directory)
        self._tenant = checked_owner(tenant)
        self._calls = BlockingCalls(str(directory))

    async def put(self, data: bytes) -> str:
        """Store the bytes, unless they are there, and return their key. Raises `PayloadStorageFailed`."""
        key = payload_key(self._tenant, data)
        await self._calls.run(partial(self._write, self._path(key), bytes(data)))
        return key

    async def get(self, key: str) -> bytes:
        """The bytes under a key. Raises as `PayloadStorage.get` does."""
        return verified(key, await self._calls.run(partial(self._read, key, self._path(key))))

    def _path(self, key: str) -> Path:
        digest = checked_key(key, self._tenant)
        return self._directory / self._tenant / digest[:2] / digest[2:]

    def _write(self, path: Path, data: bytes) -> None:
        try:
            if path.exists() and path.stat().st_size == len(data):
                return
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (path.parent.parent, path.parent):  # of parents, mkdir minds no mode
                folder.mkdir(mode=0o700, exist_ok=True)
            # Others may be writing the same: the last rename wins, and all of them bring the same bytes.
            handle, name = tempfile.mkstemp(prefix=".", dir=path.parent)  # its mode is 0600
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(name, path)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(name)
                raise
        except OSError as error:
            raise PayloadStorageFailed(str(self._directory), str(error)) from error

    def _read(self, key: str, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise PayloadNotFound(key, str(self._directory)) from None
        except OSError as error:
            raise PayloadStorageFailed(str(self._directory), str(error)) from error
