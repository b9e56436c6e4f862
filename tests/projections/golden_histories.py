"""The histories behind `tests/golden/graphs`, and the way to renew those files on purpose.

    PYTHONPATH=. python tests/projections/golden_histories.py

writes them anew; read the difference before it is kept: it is a change of the public contract.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from relayna.events.history import StreamFact
from relayna.projections.execution import GraphQuery
from relayna.projections.graph import ExecutionGraph, encode_graph
from relayna.projections.projection import Item
from relayna.testing import given, history

__all__ = ["GOLDEN_HISTORIES", "golden_graph", "golden_path", "printed"]

_FOLDER: Final = Path(__file__).parent.parent / "golden" / "graphs"


def retry_and_dead_letter() -> list[Item]:
    """A task that fails twice, and of which the second worker's clock is an hour late."""
    task = history("order-7", tick=0.25).published(task_type="email")
    first = task.attempt().fails("TimeoutError", "no answer").retried(delay_ms=500).relayed()
    second = first.after(0.5).attempt(skew=-3600)
    return [*second.fails("TimeoutError", "no answer").dead_lettered().events]


def replay_after_a_dead_letter() -> list[Item]:
    """A dead letter that is sent again, and whose acknowledgement is lost."""
    first = (
        history("order-8", tick=0.25).published().attempt().fails("ValueError").dead_lettered("not_retryable")
    )
    return [*first.after(60).replayed().attempt().acked().repeated().events]


def killed_and_manually_retried() -> list[Item]:
    """A worker dies, the next one asks for a manual retry, the third lost events and says so."""
    killed = history("order-9", tick=0.25).published().attempt()
    third = killed.redelivered(delivery_count=1).manually_retried().attempt()
    return [*third.status("charged", meta={"cents": 1250}).loses(2).acked().events]


def fan_in() -> list[Item]:
    """Two children whose reports are taken in by their parent's shard; one of them has a child of its own."""
    parent = history("report", tick=0.25).published().attempt()
    quick, slow = parent.spawns("page-1"), parent.spawns("page-2")
    parent.acked()
    first = quick.attempt()
    quick.attempt(first.reports("half")).acked()
    first.acked()
    second = slow.attempt().fails().retried().attempt()
    second.spawns("page-2/image")
    kind = StreamFact(
        task_id=parent.task.task_id,
        name="topology_kind",
        value="shared_tasks_shared_status_sharded_aggregation",
    )
    return [*second.events, kind]


def workflow() -> list[Item]:
    """Four stages, two of them side by side, one of which needs a second attempt."""
    task = history("scan-1", tick=0.25).enters("ingest")
    ingest = task.attempt()
    to_resize, to_classify = ingest.sends("resize"), ingest.sends("classify")
    ingest.acked()
    resize, classify = task.attempt(to_resize), task.attempt(to_classify)
    classify = classify.fails("TimeoutError").retried().attempt()
    from_resize, from_classify = resize.sends("publish"), classify.sends("publish")
    resize.acked()
    classify.acked()
    kind = StreamFact(task_id=task.task_id, name="topology_kind", value="shared_status_workflow")
    return [*task.attempt(from_resize).acked(joins=(from_classify,)).events, kind]


def statuses_alone() -> list[Item]:
    """A task of which only its statuses are known."""
    return [*history("a:b", tick=0.25).status("queued").status("processing").status("completed").events]


GOLDEN_HISTORIES: Final[tuple[Callable[[], list[Item]], ...]] = (
    retry_and_dead_letter,
    replay_after_a_dead_letter,
    killed_and_manually_retried,
    fan_in,
    workflow,
    statuses_alone,
)


def golden_graph(story: Callable[[], list[Item]]) -> ExecutionGraph:
    """The graph of a story."""
    items = story()
    return given(items).when(GraphQuery()).answer


def golden_path(story: Callable[[], list[Item]]) -> Path:
    """Where its graph is kept."""
    return _FOLDER / f"{story.__name__}.json"


def printed(graph: ExecutionGraph) -> bytes:
    """The graph's JSON for readers."""
    return msgspec.json.format(encode_graph(graph), indent=2) + b"\n"


if __name__ == "__main__":
    _FOLDER.mkdir(parents=True, exist_ok=True)
    for one in GOLDEN_HISTORIES:
        golden_path(one).write_bytes(printed(golden_graph(one)))
        print(golden_path(one))
