"""Histories of plain records, as foreign programs and the stores' lists tell them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from relayna.events import PlainList, from_plain
from relayna.events.history import RecordWarning
from relayna.ids import TaskId
from relayna.projections.projection import Item

Records = Iterable[Mapping[str, Any]]


def at(seconds: float, event_type: str | None = None, **fields: Any) -> dict[str, Any]:
    """A plain record so many seconds after nine o'clock."""
    minutes, rest = divmod(seconds, 60)
    timestamp = f"2026-01-01T09:{int(minutes):02d}:{rest:09.6f}Z"
    named = {} if event_type is None else {"event_type": event_type}
    return {"timestamp": timestamp, **named, **fields}


def plain_items(
    task_id: str = "T", *, statuses: Records = (), observations: Records = (), letters: Records = ()
) -> list[Item]:
    """What reading these three lists of one task gives: events, and warnings about their records."""
    items: list[Item] = []
    lists: list[tuple[PlainList, Records]] = [
        ("status", statuses), ("observation", observations), ("dead_letter", letters)
    ]  # fmt: skip
    for name, records in lists:
        for record in records:
            event, problems = from_plain(record, task_id=TaskId(task_id), of=name)
            items += [] if event is None else [event]
            items += [
                RecordWarning(task_id=TaskId(task_id), code=code, detail=detail) for code, detail in problems
            ]
    return items
