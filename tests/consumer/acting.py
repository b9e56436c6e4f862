"""A handler that does what its task is called, and the books that must balance whatever was broken meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from consumer.bench import Bench, attempts, nodes

from relayna.consumer import RetryPolicy, TaskContext, TaskEnvelope
from relayna.events import RecordedEvent, TaskMessageReceived, TaskMessageRejected, closes_attempt

__all__ = ["ACTING", "ACTS", "act", "check_books", "closings"]

ACTING: Final = RetryPolicy(max_retries=2, delay_ms=1_000, jitter=0, non_retryable=(ValueError,))
ACTS: Final = ("plain", "spawn", "retry", "dead", "again")
"""What tasks can be called; further letters after a dash make more of them."""


async def act(task: TaskEnvelope, context: TaskContext) -> None:
    """Succeed, ask for children, fail once, fail for good, or ask for another try."""
    match task.task_id.partition("-")[0]:
        case "spawn":
            await context.spawn(task_id=f"first-of-{task.task_id}")
            await context.spawn(task_id=f"second-of-{task.task_id}")
        case "retry" if context.retry_attempt == 0:
            raise KeyError("total")
        case "dead":
            raise ValueError("no")
        case "again" if task.task_type is None:
            await context.manual_retry(task_type="again")


def closings(
    events: Iterable[RecordedEvent], *, unclosed: bool = False
) -> dict[tuple[object, ...], list[str]]:
    """By delivery, the events that closed its attempts for good; no attempt is closed twice, nor `unclosed`."""
    events = list(events)
    opened = {
        event.envelope.attempt_id: (event.body.message_id, event.body.queue_name, event.body.retry_attempt)
        for event in events
        if isinstance(event.body, TaskMessageReceived)
    }
    closed = [event for event in events if closes_attempt(event.body)]
    ended = Counter(event.envelope.attempt_id for event in closed)
    assert set(ended.values()) <= {1}
    assert unclosed or ended.keys() == opened.keys()
    found: dict[tuple[object, ...], list[str]] = {delivery: [] for delivery in opened.values()}
    for event in closed:
        if not (isinstance(event.body, TaskMessageRejected) and event.body.requeue):
            found[opened[event.envelope.attempt_id]].append(type(event.body).__name__)
    return found


async def check_books(bench: Bench, task_ids: Iterable[str], *, killed: bool = False) -> None:
    """Every task reached its one end, and nothing is left in a queue of work."""
    letters = Counter(
        str(letter.headers["x-relayna-task-id"]) for letter in await bench.messages("work.dead_letters")
    )
    for name in bench.queue_names():
        assert name.endswith((".dead_letters", ".record", "statuses.all")) or bench.broker.depth(name) == 0, (
            name
        )
    for task_id in task_ids:
        kind = task_id.partition("-")[0]
        family = [task_id]
        if kind == "spawn":
            family += [f"first-of-{task_id}", f"second-of-{task_id}"]
        for member in family:
            ends = closings(await bench.events(member), unclosed=killed)
            assert all(len(closing) == 1 for closing in ends.values()), (member, ends)
            assert len(ends) == {"retry": 2, "again": 2}.get(kind, 1), (member, ends)
        graph = await bench.graph(task_id)
        outcomes = {outcome for outcome, _ in attempts(graph)}
        assert ("dead_lettered" in outcomes, "acked" in outcomes) == (kind == "dead", kind != "dead"), task_id
        assert bool(letters[task_id]) == (kind == "dead")
        end = "failed" if kind == "dead" else "completed"
        assert nodes(graph, "status_event").count(end) == len(family), task_id
        reasons = set(graph.annotations.get("completeness", []))
        assert reasons <= ({"unclosed", "gap"} if killed else set()), (task_id, graph.annotations)
