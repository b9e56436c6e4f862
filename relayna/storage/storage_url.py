"""From the setting `storage_url` to a storage: a directory, or anything that fsspec knows. Owns the choice."""

from __future__ import annotations

from relayna.storage.fsspec_storage import FsspecStorage
from relayna.storage.local_directory import LocalDirectoryStorage
from relayna.storage.payload_storage import DEFAULT_TENANT, PayloadStorage

__all__ = ["storage_at"]


def storage_at(url: str, *, tenant: str = DEFAULT_TENANT) -> PayloadStorage:
    """The storage at a directory's path or an fsspec URL. Connects to nothing yet. Raises `InvalidSetting`."""
    return FsspecStorage(url, tenant=tenant) if "://" in url else LocalDirectoryStorage(url, tenant=tenant)
