"""Payload storage: messages' bodies kept beside the log, so that they can be looked at and replayed."""

from __future__ import annotations

from relayna.storage.fsspec_storage import FsspecStorage
from relayna.storage.local_directory import LocalDirectoryStorage
from relayna.storage.payload_errors import (
    PayloadDamaged,
    PayloadError,
    PayloadNotFound,
    PayloadStorageFailed,
)
from relayna.storage.payload_storage import PayloadStorage
from relayna.storage.storage_url import storage_at

__all__ = [
    "FsspecStorage", "LocalDirectoryStorage", "PayloadStorage", "storage_at",
    # errors
    "PayloadDamaged", "PayloadError", "PayloadNotFound", "PayloadStorageFailed",
]  # fmt: skip
