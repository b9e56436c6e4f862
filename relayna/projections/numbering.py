"""Numbers and ids of a task's nodes: n counts from 1 in the order of the events, within its task and stage.

Owns the ids of attempts, retries and dead letters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count

from relayna.ids import TaskId
from relayna.projections.attempts import Attempt
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
    numbers: dict[str | None, Iterator[int]] = {}
    prefixes: dict[str | None, str] = {None: node_id("task-attempt", task_id)}
    for attempt in attempts:
        stage = attempt.stage
        if stage not in numbers:
            numbers[stage] = count(1)
            if stage is not None:
                prefixes[stage] = node_id("stage-attempt", task_id, stage)
        attempt.number = next(numbers[stage])
        attempt.node_id = f"{prefixes[stage]}:{attempt.number}"
