"""Why what was read of some tasks is not all that was told of them. Owns the names, which are those of graphs.

Graphs know more: what numbers of events prove, and what is missing of children. Here is what reading alone tells.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from relayna.events import EventsLost, Opaque, RecordedEvent
from relayna.events.history import StreamFact
from relayna.ids import TaskId
from relayna.observability.family_history import FamilyHistory

__all__ = ["gaps_in", "missing_in"]

_CUT: Final = ("trimmed", "expired", "limit_reached")


def gaps_in(history: FamilyHistory) -> Iterator[tuple[TaskId, str]]:
    """Each reason with its task: streams that were cut, records that cannot be read, and what producers confess."""
    for item in history.items:
        match item:
            case StreamFact(task_id=task_id, name=name) if name in _CUT:
                yield task_id, name
            case RecordedEvent(body=Opaque(reason=reason)):
                yield item.envelope.task_id, reason
            case RecordedEvent(body=EventsLost()):
                yield item.envelope.task_id, "reported_loss"


def missing_in(history: FamilyHistory) -> list[str]:
    """All reasons, each once."""
    reasons = {reason for _, reason in gaps_in(history)}
    return sorted(reasons | {"limit_reached"} if history.beyond else reasons)
