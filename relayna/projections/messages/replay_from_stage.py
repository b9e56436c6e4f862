"""Which stored inputs a replay from a stage sends again, decided from rows.

Owns the choice: the messages that the stage handled, but for those that came of another one of them, which the replay
brings forth anew. Pure; reads no storage.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from relayna.projections.messages.fixed_ids import fixed_ids_below
from relayna.projections.messages.message_row import MessageRow

__all__ = ["StageInput", "StageReplayPlan", "plan_stage_replay"]


class StageInput(Struct, frozen=True, kw_only=True):
    """One message that is to be sent again, as a new one."""

    message_id: str
    """The original's row."""
    task_id: str
    """The original's run. Messages of one run go to one new run."""
    queue_name: str
    """Where it was taken from, and goes to."""
    storage_key: str
    kind: str
    """`task` or `workflow`: what its body is."""
    stage: str | None
    """Of a workflow."""
    input_hash: str | None = None
    """Of the payload that was handled."""


class StageReplayPlan(Struct, frozen=True, kw_only=True):
    """What would be sent again, and what stands in the way."""

    session_id: str
    stage: str
    """The stage, or the queue where there are no stages."""
    inputs: tuple[StageInput, ...] = ()
    """In the order in which the originals began."""
    without_input: tuple[str, ...] = ()
    """Messages whose input is not stored."""
    reports: tuple[str, ...] = ()
    """Children's reports: they belong to a parent that a new session does not have."""
    stages: tuple[str, ...] = ()
    """All that handled messages of the session."""
    topology_kind: str | None = None
    """Of the originals, as far as their histories tell."""
    fixed_ids: tuple[str, ...] = ()
    """Runs that came of the originals, and that a replay may make again under the same ids."""


def plan_stage_replay(rows: Sequence[MessageRow], session_id: str, stage: str) -> StageReplayPlan:
    """The plan; without inputs and without obstacles when the stage handled nothing."""
    chosen = _topmost([row for row in rows if row.route == stage], rows)
    reports = tuple(row.id for row in chosen if row.metadata.get("kind") == "aggregation")
    inputs = {row.id: _input(row) for row in chosen if row.metadata.get("kind") != "aggregation"}
    kinds = (row.metadata.get("topology_kind") for row in chosen)
    return StageReplayPlan(
        session_id=session_id,
        stage=stage,
        inputs=tuple(found for found in inputs.values() if found is not None),
        without_input=tuple(name for name, found in inputs.items() if found is None),
        reports=reports,
        stages=tuple(sorted({row.route for row in rows if row.route is not None})),
        topology_kind=next((kind for kind in kinds if kind), None),
        fixed_ids=fixed_ids_below(rows, inputs.keys()),
    )


def _topmost(at_stage: Sequence[MessageRow], rows: Sequence[MessageRow]) -> list[MessageRow]:
    """Those above which there is none of the stage; each row is looked at once."""
    by_id = {row.id: row for row in rows}
    stage_ids = {row.id for row in at_stage}
    below: dict[str | None, bool] = {None: False}
    """By row, whether it or one above it is of the stage."""
    for row in at_stage:
        path: dict[str, None] = {}
        at = row.parent_id
        while at is not None and at not in below and at not in path and at in by_id and at not in stage_ids:
            path[at] = None
            at = by_id[at].parent_id
        answer = at in stage_ids or below.get(at, False)
        below.update(dict.fromkeys(path, answer))
        below.setdefault(row.parent_id, answer)
    return [row for row in at_stage if not below[row.parent_id]]


def _input(row: MessageRow) -> StageInput | None:
    told = row.metadata
    if (
        not told.get("storage_key")
        or not told.get("queue_name")
        or told.get("kind") not in ("task", "workflow")
    ):
        return None
    return StageInput(
        message_id=row.id,
        task_id=row.task_id,
        queue_name=told["queue_name"],
        storage_key=told["storage_key"],
        kind=told["kind"],
        stage=row.route if told["kind"] == "workflow" else None,
        input_hash=row.input_hash,
    )
