"""Pages of streams, although some of them may not be streams.

Owns telling the trouble of one task from the store's while reading, as `lanes.py` does while appending.
"""

from __future__ import annotations

from collections.abc import Sequence

from relayna.errors import StoreError, StoreRefused
from relayna.streams.log import Log, StreamPage, StreamRange, StreamState
from relayna.streams.outcomes import Trouble, ruling

__all__ = ["may_not_read", "read_pages"]


async def read_pages(log: Log, ranges: Sequence[StreamRange]) -> list[StreamPage]:
    """One page of each, in one round trip a node; an empty one where the key holds no stream.

    Raises `StoreError`, for all of them.
    """
    try:
        return await log.read(ranges) if ranges else []
    except StoreRefused as error:
        if ruling(error).trouble is not Trouble.TASK:
            raise
        if len(ranges) == 1:
            return [StreamPage(address=ranges[0].address, entries=[], state=StreamState())]
    half = len(ranges) // 2
    return [*await read_pages(log, ranges[:half]), *await read_pages(log, ranges[half:])]


def may_not_read(error: StoreError) -> bool:
    """Whether the store lets us append, perhaps, but never look."""
    return isinstance(error, StoreRefused) and error.problem.startswith("NOPERM")
