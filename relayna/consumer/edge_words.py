"""What users say of edges between runs, checked; and in whose histories an edge is told. Pure.

Owns the checks' words. Records nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from relayna.errors import InvalidQuery
from relayna.events import RunEdgeRecorded
from relayna.ids import TaskId

__all__ = ["check_choice", "check_seconds_to_wait", "check_text", "checked_metadata", "other_runs"]

_LONGEST: Final = 500


def check_text(name: str, value: object) -> None:
    """It must be text that says something, of 500 characters at most, or nothing. Raises `InvalidQuery`."""
    if value is None:
        return
    if not isinstance(value, str):
        raise InvalidQuery(name, f"it is of type {type(value).__name__}; give text")
    if not value:
        raise InvalidQuery(name, "it is empty; leave it out, or say something")
    if len(value) > _LONGEST:
        raise InvalidQuery(name, f"it is {len(value)} characters long; {_LONGEST} are the most")


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """It must be one of these. Raises `InvalidQuery`."""
    if value not in choices:
        raise InvalidQuery(name, f"{value!r} is none of {', '.join(choices)}")


def check_seconds_to_wait(name: str, value: object) -> None:
    """It must be a number from 0 up that is not infinite. Raises `InvalidQuery`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise InvalidQuery(name, f"{value!r} is no number of seconds from 0 up")


def checked_metadata(
    metadata: Mapping[str, Any] | None,  # Any: the user's own JSON object
) -> dict[str, Any] | None:
    """As it is now, whatever becomes of it later. Raises `InvalidQuery` for what is no JSON object."""
    if metadata is None:
        return None
    try:
        json.dumps(
            dict(metadata)
        )  # it refuses sets, dates and bytes, of which msgspec would make something else
        kept = msgspec.json.decode(msgspec.json.encode(dict(metadata)))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidQuery("metadata", f"it is no JSON object: {error}") from error
    return kept or None


def other_runs(edge: RunEdgeRecorded, own: TaskId) -> list[TaskId]:
    """In whose streams the edge is told, beside that of the task `own`: an edge is in those of both its ends.

    What is replayed stays as it was: only the new runs tell of that.
    """
    if edge.kind == "replayed_from":
        return []
    ends = dict.fromkeys((edge.source_run, edge.target_run))
    return [end for end in ends if end is not None and end != own]
