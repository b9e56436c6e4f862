"""Numbers and ids of a task's nodes: n counts from 1 in the order of the events, within its task and stage.

Owns the ids of attempts, retries and dead letters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import count

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
    series: dict[str, tuple[str, Iterator[int]]] = {}
    for attempt in attempts:
        of_its_lane = series.get(attempt.lane)
        if of_its_lane is None:
            of_its_lane = series[attempt.lane] = _series(task_id, attempt, series)
        prefix, numbers = of_its_lane
        attempt.number = next(numbers)
        attempt.node_id = f"{prefix}:{attempt.number}"


def _series(
    task_id: TaskId, attempt: Attempt, known: Mapping[str, tuple[str, Iterator[int]]]
) -> tuple[str, Iterator[int]]:
    """How the nodes of the attempt's lane begin, and their numbers. Attempts outside stages share theirs."""
    if attempt.stage is not None:
        return node_id("stage-attempt", task_id, attempt.stage), count(1)
    shared = (known[lane] for lane in (AGGREGATION, ANY_LANE) if lane in known)
    return next(shared, None) or (node_id("task-attempt", task_id), count(1))
