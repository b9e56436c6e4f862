"""How runs are started and woken from outside any attempt: what `TaskRequest.started_by` takes, and callbacks.

Owns the kinds and the checks, and the edges that are to be recorded. Records nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias, get_args

from msgspec import Struct

from relayna.consumer.edge_words import check_choice, check_text, checked_metadata
from relayna.errors import InvalidQuery
from relayna.events import RunEdgeRecorded
from relayna.ids import TaskId
from relayna.streams.keys import checked_task_id

__all__ = ["RunStart", "RunStartKind", "waking_callback"]

RunStartKind: TypeAlias = Literal["user_start", "domain_callback", "signal_fire"]
_KINDS: Final[tuple[str, ...]] = get_args(RunStartKind)


class RunStart(Struct, frozen=True, kw_only=True):
    """Who or what starts a run: a user, a callback from another system, a signal. Raises `InvalidQuery`."""

    kind: RunStartKind
    source_run: str | None = None
    """Of a `signal_fire`: the run that sends it. Without one it is a `user_start`."""
    label: str | None = None
    metadata: Mapping[str, Any] | None = None  # Any: the user's own JSON object

    def __post_init__(self) -> None:
        """Raises `InvalidQuery`."""
        check_choice("kind", self.kind, _KINDS)
        check_text("label", self.label)
        checked_metadata(self.metadata)
        if self.source_run is None:
            return
        checked_task_id(self.source_run)
        if self.kind != "signal_fire":
            raise InvalidQuery("source_run", f"a {self.kind} comes from outside; only a signal_fire has one")

    def birth(self, run: TaskId) -> RunEdgeRecorded | None:
        """The edge to record for the run; none for a plain start, which its first message tells by itself."""
        metadata = checked_metadata(self.metadata)
        source = TaskId(self.source_run) if self.source_run else None
        kind = "user_start" if self.kind == "signal_fire" and source is None else self.kind
        if kind == "user_start" and self.label is None and metadata is None:
            return None
        return RunEdgeRecorded(
            kind=kind, source_run=source, target_run=run, label=self.label, metadata=metadata
        )


def waking_callback(
    run_id: str,
    *,
    label: str | None,
    metadata: Mapping[str, Any] | None,  # Any: the user's own JSON object
) -> RunEdgeRecorded:
    """The edge to record for a run that a callback has woken. Raises `InvalidQuery`."""
    check_text("label", label)
    return RunEdgeRecorded(
        kind="domain_callback",
        target_run=checked_task_id(run_id),
        wakes=True,
        label=label,
        metadata=checked_metadata(metadata),
    )
