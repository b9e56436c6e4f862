"""Random histories such as relayna's own consumers record, from a seed: one task, or a whole family.

Skews belong to attempts, and no random choice depends on them: the same seed with other clocks is the same story.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from relayna.events import RecordedEvent
from relayna.testing import TaskHistory, history
from relayna.testing.attempt_histories import AttemptHistory

Skews = Callable[[], float]


def random_history(seed: int, skews: Skews | None = None) -> list[RecordedEvent]:
    """All events of one random family whose root is `root`."""
    chance = random.Random(seed)
    root = history("root", tick=chance.choice([0, 0.001, 1.5]), lifecycle_statuses=chance.random() < 0.8)
    clock = skews or (lambda: 0.0)
    if chance.random() < 0.3:
        _run_workflow(root.enters("ingest", skew=clock()), chance, clock)
    else:
        _run_task(root.published(skew=clock()), chance, clock, depth=0)
    return root.events


def _run_task(task: TaskHistory, chance: random.Random, clock: Skews, depth: int) -> None:
    attempt = task.attempt(skew=clock())
    for _ in range(chance.randint(0, 4)):
        children = _work(attempt, chance, clock, depth)
        attempt = _go_on(attempt, chance, clock)
        for child in children:
            _run_task(child, chance, clock, depth + 1)
    _work(attempt, chance, clock, depth + 2)
    _end(attempt, chance, clock)


def _work(attempt: AttemptHistory, chance: random.Random, clock: Skews, depth: int) -> list[TaskHistory]:
    attempt.after(chance.random())
    for number in range(chance.randint(0, 2)):
        attempt.status(f"step {number}", meta={"share": number})
        if chance.random() < 0.5:
            attempt.relayed(skew=clock())
    if chance.random() < 0.2 and attempt.task.task_id != "root":
        attempt.task.attempt(attempt.reports(), skew=clock()).acked()
    wanted = chance.randint(0, 2) if depth < 2 and chance.random() < 0.4 else 0
    return [attempt.spawns(f"{attempt.task.task_id}.{attempt.attempt_id[-3:]}.{n}") for n in range(wanted)]


def _go_on(attempt: AttemptHistory, chance: random.Random, clock: Skews) -> AttemptHistory:
    """End the attempt in one of the ways after which there is another."""
    match chance.choice(["retried", "retried", "manual", "released", "killed", "replayed"]):
        case "retried":
            return (
                attempt.fails("TimeoutError", "no answer")
                .retried(delay_ms=50)
                .after(0.05)
                .attempt(skew=clock())
            )
        case "manual":
            return attempt.manually_retried().attempt(skew=clock())
        case "released":
            return attempt.released().redelivered(skew=clock(), delivery_count=_again(attempt))
        case "killed":
            return attempt.redelivered(skew=clock(), delivery_count=_again(attempt))
        case _:
            attempt.fails("ValueError").dead_lettered().after(5).replayed(skew=clock())
            return attempt.attempt(skew=clock())


def _again(attempt: AttemptHistory) -> int:
    bodies = (event.body for event in attempt.events if event.envelope.attempt_id == attempt.attempt_id)
    return (getattr(next(bodies), "delivery_count", None) or 0) + 1


def _end(attempt: AttemptHistory, chance: random.Random, clock: Skews) -> None:
    match chance.choice(["acked", "acked", "repeated", "dead_lettered", "running"]):
        case "acked":
            attempt.acked().relayed(skew=clock()) if attempt.task.lifecycle_statuses else attempt.acked()
        case "repeated":
            attempt.acked().repeated(skew=clock())
        case "dead_lettered":
            attempt.fails("ValueError", "bad input").dead_lettered("not_retryable")


def _run_workflow(task: TaskHistory, chance: random.Random, clock: Skews) -> None:
    first = task.attempt(skew=clock())
    branches = [first.sends(stage) for stage in ("resize", "classify", "index")[: chance.randint(1, 3)]]
    first.acked()
    attempts = [task.attempt(branch, skew=clock()) for branch in branches]
    ends = []
    for attempt in attempts:
        attempt.status(f"in {attempt.message.stage}")
        if chance.random() < 0.5:
            attempt.fails("TimeoutError").retried()
            attempt = task.attempt(skew=clock())  # noqa: PLW2901 - the story goes on with the next attempt
        ends.append(attempt.sends("publish"))
        attempt.acked()
    if chance.random() < 0.8:
        task.attempt(ends[0], skew=clock()).acked(joins=tuple(ends[1:]))
