"""The spool: what the log does not take waits on local disk, and outlives what happens to it there.

`spool.py` is the way in and out; `writer.py` writes `segments.py` in the format of `record_format.py`,
`drainer.py` reads them; `directory.py` is what processes share, `producer_folder.py` what each has of
its own.
"""

from relayna.streams.spool.results import (
    NotSynced,
    NotWritten,
    SpoolBatch,
    SpoolResult,
    SpoolToken,
    Synced,
    SyncResult,
    Written,
)
from relayna.streams.spool.spool import Spool
from relayna.streams.spool.writer import FsyncPolicy

__all__ = [
    "FsyncPolicy",
    "NotSynced",
    "NotWritten",
    "Spool",
    "SpoolBatch",
    "SpoolResult",
    "SpoolToken",
    "SyncResult",
    "Synced",
    "Written",
]
