"""What the spool answers: it takes records or says why not, and hands them out in batches."""

from __future__ import annotations

from typing import NewType, TypeAlias

from msgspec import Struct

from relayna.errors import SpoolError
from relayna.instants import Instant
from relayna.streams.log import Append

__all__ = [
    "NotSynced",
    "NotWritten",
    "SpoolBatch",
    "SpoolResult",
    "SpoolToken",
    "SyncResult",
    "Synced",
    "Written",
]

SpoolToken = NewType("SpoolToken", str)
"""Names a batch to the spool that handed it out."""


class Written(Struct, frozen=True):
    """All that was offered is in the spool. It outlives this process; the machine only after a `Synced`."""

    size: int
    """Bytes that it takes there."""


class NotWritten(Struct, frozen=True):
    """The spool does not have what was offered: `SpoolFull` or `SpoolFailed` says why.

    When fsync "always" failed, some may be drained all the same: a repeat is dropped by its event ids.
    """

    error: SpoolError


SpoolResult: TypeAlias = Written | NotWritten


class Synced(Struct, frozen=True):
    """All that was written so far outlives the machine (with fsync "never": the process)."""


class NotSynced(Struct, frozen=True):
    """What was written since the last `Synced` may be gone, and the spool will not try again."""

    error: SpoolError
    appends: list[Append]
    """All of it, in order. Some may be drained all the same: a repeat is dropped by its event ids."""


SyncResult: TypeAlias = Synced | NotSynced


class SpoolBatch(Struct, frozen=True, kw_only=True):
    """All that one segment holds, in the order in which it was put."""

    token: SpoolToken
    appends: list[Append]
    begun: Instant
    """Before any of it was put."""
    damaged_bytes: int = 0
    """Bytes of the segment in which no whole record was found; more than 0 when some are lost."""
