"""Payloads wherever fsspec leads: object stores, remote file systems, memory. The only file that imports fsspec.

Owns the translation of its errors, and that its blocking calls run in threads. Object stores show an object whole
or not at all; on others a reader knows a half-written one by its hash, and the next writer replaces it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from relayna.errors import InvalidSetting
from relayna.storage.blocking_calls import BlockingCalls
from relayna.storage.payload_errors import PayloadNotFound, PayloadStorageFailed
from relayna.storage.payload_storage import DEFAULT_TENANT, checked_key, checked_owner, payload_key, verified
from relayna.store_url import masked_store_url

__all__ = ["FsspecStorage"]

ResultT = TypeVar("ResultT")


class FsspecStorage:
    """A `PayloadStorage` below an fsspec URL, as s3://bucket/inputs. Needs the extra `relayna[storage]`."""

    def __init__(
        self,
        url: str,
        *,
        tenant: str = DEFAULT_TENANT,
        **options: Any,  # Any: whatever the file system behind the URL takes
    ) -> None:
        """`options` go to the file system. Raises `InvalidSetting` for a URL that leads nowhere."""
        self._tenant = checked_owner(tenant)
        self._shown = masked_store_url(url)
        self._url = url
        self._calls = BlockingCalls(self._shown)
        try:
            from fsspec.core import url_to_fs  # type: ignore[import-untyped]  # it has no types

            self._files, root = url_to_fs(url, **options)
        except (ImportError, ValueError, OSError) as error:  # some connect at once
            problem = f"{self._shown!r} leads nowhere: {self._told(error)}; install relayna[storage] and what it names"
            raise InvalidSetting("storage_url", "argument", problem) from None
        self._root = root.rstrip("/")

    async def put(self, data: bytes) -> str:
        """Store the bytes, unless they are there, and return their key. Raises `PayloadStorageFailed`."""
        key = payload_key(self._tenant, data)
        await self._run(partial(self._write, self._path(key), bytes(data)))
        return key

    async def get(self, key: str) -> bytes:
        """The bytes under a key. Raises as `PayloadStorage.get` does."""
        path = self._path(key)
        try:
            data: bytes = await self._run(partial(self._files.cat_file, path))
        except FileNotFoundError:
            raise PayloadNotFound(key, self._shown) from None
        return verified(key, data)

    def _path(self, key: str) -> str:
        digest = checked_key(key, self._tenant)
        return f"{self._root}/{self._tenant}/{digest[:2]}/{digest[2:]}"

    def _write(self, path: str, data: bytes) -> None:
        if self._files.exists(path) and self._files.size(path) == len(data):
            return
        self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
        self._files.pipe_file(path, data)

    async def _run(self, call: Callable[[], ResultT]) -> ResultT:
        try:
            return await self._calls.run(call)
        except (FileNotFoundError, PayloadStorageFailed):
            raise
        except Exception as error:  # noqa: BLE001 - each file system has errors of its own, which may quote the URL
            raise PayloadStorageFailed(self._shown, f"{type(error).__name__}: {self._told(error)}") from None

    def _told(self, error: Exception) -> str:
        """What it says, without the credentials: many quote the URL, or the part of it that they know."""
        text = str(error).replace(self._url, self._shown)
        credentials, at, _ = self._url.partition("://")[2].rpartition("@")
        secrets = (credentials, credentials.partition(":")[2]) if at else ()
        for secret in filter(None, secrets):
            text = text.replace(secret, "***")
        return text
