"""Sees to it that every node of a task hangs below the task itself, whatever its records claim.

Owns what is done about circles: damaged or hostile records can say that an attempt led to itself.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Final

from relayna.projections.attempts import Attempt
from relayna.projections.task_run import Birth, TaskRun

__all__ = ["cut_circles", "source_node"]

_SOURCE: Final = attrgetter("source")
_CUT: Final = Birth(None, "received_by", "inferred", "circle_cut", of_task=True)


def cut_circles(run: TaskRun) -> None:
    """Hang the first attempt of each circle on the task. Births and messages' origins are known."""
    if not run.messages and not any(map(_SOURCE, run.births.values())):
        return
    above = _sources(run)
    attempts = {attempt.node_id: attempt for attempt in run.attempts.members}
    rooted: set[str] = set()
    for start in run.attempts.members:
        if start.node_id in rooted or above[start.node_id] is None:
            continue
        path: dict[str, None] = {}
        node: str | None = start.node_id
        while node is not None and node not in rooted:
            if node in path:
                _cut(run, _first_of_circle(path, node, attempts))
                break
            path[node] = None
            node = above.get(node)
        rooted.update(path)


def _first_of_circle(path: dict[str, None], node: str, attempts: dict[str, Attempt]) -> Attempt:
    walked = list(path)
    circle = walked[walked.index(node) :]
    return min((attempts[one] for one in circle if one in attempts), key=lambda attempt: attempt.key)


def _cut(run: TaskRun, attempt: Attempt) -> None:
    run.births[attempt.ref] = _CUT
    run.circular = True


def _sources(run: TaskRun) -> dict[str, str | None]:
    """What each node hangs on; none for the task."""
    above: dict[str, str | None] = {}
    for message in run.messages.values():
        maker = message.origin.attempt
        above[message.node_id] = maker.node_id if maker else None
    for attempt in run.attempts.members:
        birth = run.births[attempt.ref]
        above[attempt.node_id] = birth.source or (None if birth.of_task else attempt.message_node)
    for retry in run.retries:
        above[retry.node_id] = source_node(run, retry.by.attempt, retry.body.message_id)
    for letter in run.letters:
        by = letter.by.attempt
        above[letter.node_id] = source_node(run, by, letter.known("message_id"))
    return above


def source_node(run: TaskRun, attempt: Attempt | None, message_id: str | None) -> str | None:
    """What a retry or a dead letter hangs on: its attempt, else its message, else (none) the task."""
    return attempt.node_id if attempt is not None else run.message_node(message_id)
