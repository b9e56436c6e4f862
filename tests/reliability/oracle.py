"""Compares what should have happened to tasks with what their streams and graphs say.

Owns the judgement: lost, duplicated, unexpected, or said to be whole when it is not. Knows what was published
from the producer's own journal, never from the log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import Struct
from reliability.report import Findings

from relayna.errors import ExecutionNotFound
from relayna.events import RecordedEvent, decode_frame
from relayna.ids import TaskId
from relayna.observability import ExecutionGraphService
from relayna.projections.graph import ExecutionGraph, ExecutionGraphNode
from relayna.streams import Log, TaskAddress
from relayna.streams.log import START, StreamRange

__all__ = ["Expectation", "judge", "stored_events", "tasks_in_feeds"]

_ENDED: Final = ("acked", "dead_lettered")


class Expectation(Struct, frozen=True):
    """How a task should have ended."""

    status: str = "completed"
    children: int = 0
    attempts_ended: int = 1
    """How many attempts should have ended it: one for each message that was no repeat of another."""


async def judge(log: Log, expected: Mapping[str, Expectation], **known: int) -> Findings:
    """What the log makes of these tasks, children included; `known` are the other numbers of `Findings`."""
    found: Counter[str] = Counter()
    service = ExecutionGraphService(log=log)
    for task_id, expectation in expected.items():
        events = await stored_events(log, task_id)
        found["events"] += len(events)
        found["duplicated_in_log"] += len(events) - len({event.envelope.event_id for event in events})
        try:
            graph = await service.get_graph(task_id)
        except ExecutionNotFound:
            found["lost"] += 1
        else:
            faults = +_compared(graph, expectation)
            if faults:
                print(task_id, dict(faults), *map(_line, events), sep="\n  ")  # for whoever reads a failure
            found.update(faults)
    found["unexpected"] += len(await tasks_in_feeds(log) - expected.keys())
    return Findings(tasks=len(expected), **{**known, **{name: found[name] for name in _JUDGED}})


_JUDGED: Final = (
    "events", "duplicated_in_log", "lost", "duplicated_in_graph", "unexpected", "silent_partials",
)  # fmt: skip


def _line(event: RecordedEvent) -> str:
    envelope = event.envelope
    return (
        f"{event.stream_id} {envelope.producer} {envelope.event_id} {type(event.body).__name__} {event.body}"
    )


def _compared(graph: ExecutionGraph, expected: Expectation) -> Counter[str]:
    own = [node for node in graph.nodes if node.task_id == graph.task_id]
    attempts = [node for node in own if node.kind == "task_attempt"]
    ended = [node for node in attempts if node.annotations["outcome"] in _ENDED]
    ends = [node for node in own if node.kind == "status_event" and node.label in ("completed", "failed")]
    return Counter(
        lost=_missing(len(ended), expected.attempts_ended)
        + _missing(len(ends), 1)
        + _missing(len(graph.related_task_ids), expected.children),
        duplicated_in_graph=_missing(expected.attempts_ended, len(ended))
        + _missing(1, len(ends))
        + _missing(expected.children, len(graph.related_task_ids)),
        unexpected=int(graph.summary.status != expected.status),
        silent_partials=int(_is_silent_partial(graph, attempts)),
    )


def _missing(found: int, wanted: int) -> int:
    return max(0, wanted - found)


def _is_silent_partial(graph: ExecutionGraph, attempts: Iterable[ExecutionGraphNode]) -> bool:
    """Every attempt here has ended by now, so a graph that is full knows how each of them did."""
    outcomes: set[Any] = {node.annotations["outcome"] for node in attempts}
    return graph.summary.graph_completeness == "full" and bool(outcomes & {"running", "abandoned", "unknown"})


async def stored_events(log: Log, task_id: str) -> list[RecordedEvent]:
    """Everything that the task's stream holds, repeats included."""
    address, after, events = TaskAddress(TaskId(task_id)), START, []
    while True:
        [page] = await log.read([StreamRange(address=address, after=after)])
        for entry in page.entries:
            frame = decode_frame(entry.payload, task_id=address.task_id, stream_id=entry.stream_id)
            events += frame.events
        if not page.entries:
            return events
        after = page.entries[-1].stream_id


async def tasks_in_feeds(log: Log) -> set[str]:
    """Every task that anything was ever appended of."""
    found: set[str] = set()
    for shard in range(log.keys.shard_count):
        after = START
        while references := await log.read_feed(shard, after=after):
            found.update(reference.address.task_id for reference in references)
            after = references[-1].stream_id
    return found
