"""Runs that a replay would make once more under their old ids: their ids are their handler's, not relayna's.

Owns how such an id is told from one of relayna's. A guess from what is recorded: handlers are not looked into. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final

from relayna.projections.messages.message_row import MessageRow

__all__ = ["fixed_ids_below"]

_OURS: Final = re.compile(r"[0-9a-f]{32}")


def fixed_ids_below(rows: Sequence[MessageRow], replayed: Collection[str]) -> tuple[str, ...]:
    """The tasks that messages of the rows `replayed` brought forth under ids of their own choice, in order.

    An id that holds that of the task that chose it is derived from it, and is another one in a replay.
    """
    by_id = {row.id: row for row in rows}
    own = {by_id[row_id].task_id for row_id in replayed if row_id in by_id}
    found: dict[str, None] = {}
    for row in rows:
        parent = None if row.parent_id not in replayed else by_id.get(row.parent_id or "")
        if parent is None or row.task_id in own or row.metadata.get("kind") == "aggregation":
            continue
        if not _OURS.fullmatch(row.task_id) and parent.task_id not in row.task_id:
            found[row.task_id] = None
    return tuple(found)
