"""An answer for which not all was read, kept for whoever asks the same again.

Owns whether it is still right. What is left out depends on the order of reading, so nothing goes on from it: it holds
while every stream that was read is as it was, and is forgotten otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from relayna.instants import Instant
from relayna.observability.graph_version import VersionedGraph
from relayna.streams import Log, StreamState, TaskAddress

__all__ = ["CutAnswer"]

_STATES_AT_ONCE: Final = 500


class CutAnswer(Struct, frozen=True):
    """The answer, and what it was made of."""

    answer: VersionedGraph
    states: Sequence[tuple[TaskAddress, StreamState]]
    """Of every stream that was looked at, from before its first entry was read."""
    changes_at: Instant | None
    """From when on the same streams mean something else."""

    async def holds(self, log: Log, now: Instant) -> bool:
        """Whether it would be the answer again. Raises `StoreError`."""
        if self.changes_at is not None and self.changes_at <= now:
            return False
        for start in range(0, len(self.states), _STATES_AT_ONCE):
            before = self.states[start : start + _STATES_AT_ONCE]
            after = await log.states([address for address, _ in before])
            if [_contents(state) for _, state in before] != [_contents(state) for state in after]:
                return False
        return True


def _contents(state: StreamState) -> tuple[object, ...]:
    """All but when it expires."""
    return state.first_id, state.last_id, state.length, state.entries_added
