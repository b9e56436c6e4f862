"""Numbers and ids of a task's nodes: n counts from 1 in the order of the events, within its task and stage.

Owns the ids of attempts, retries and dead letters.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from relayna.ids import TaskId
from relayna.projections.attempts import AGGREGATION, ANY_LANE, Attempt
from relayna.projections.dead_letters import DeadLetter
from relayna.projections.drawing import node_id
from relayna.projections.retries import Retry

__all__ = ["number_nodes"]


def number_nodes(
    task_id: TaskId, attempts: Iterable[Attempt], retries: Iterable[Retry], letters: Iterable[DeadLetter]
) -> None:
    """Give them their ids, so that edges can be drawn between them; each argument in order."""
    for number, retry in enumerate(retries, 1):
        retry.number, retry.node_id = number, node_id("retry", task_id, number)
    for number, letter in enumerate(letters, 1):
        letter.number, letter.node_id = number, node_id("dlq", task_id, number)
    series: dict[str, _Series] = {}
    for attempt in attempts:
        lane = ANY_LANE if attempt.lane == AGGREGATION else attempt.lane
        of_its_lane = series.get(lane)
        if of_its_lane is None:
            of_its_lane = series[lane] = _Series(_prefix(task_id, attempt.stage))
        of_its_lane.last += 1
        attempt.number = of_its_lane.last
        attempt.node_id = f"{of_its_lane.prefix}:{attempt.number}"


class _Series(Struct, gc=False):
    """The attempts of one stage, or all that are outside stages."""

    prefix: str
    last: int = 0


def _prefix(task_id: TaskId, stage: str | None) -> str:
    return node_id("task-attempt", task_id) if stage is None else node_id("stage-attempt", task_id, stage)
