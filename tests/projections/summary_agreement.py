"""Whether a task's summary says what its graph says."""

from __future__ import annotations

from relayna.instants import Instant, format_instant
from relayna.projections.graph import ExecutionGraph, ExecutionGraphNode
from relayna.projections.task_summary import TaskSummary

__all__ = ["assert_agree"]


def assert_agree(summary: TaskSummary, alone: ExecutionGraph) -> None:
    """Field by field; `alone` is the graph of the task's own stream."""
    root = next(node for node in alone.nodes if node.kind == "task")
    drawn = [node for node in alone.nodes if node.task_id == summary.task_id]
    attempts = [node for node in drawn if node.kind in ("task_attempt", "stage_attempt")]
    letters = [node for node in drawn if node.kind == "dlq_record"]
    told = alone.summary
    assert (summary.task_id, summary.topology_kind) == (alone.task_id, alone.topology_kind)
    assert (summary.status, summary.state) == (told.status, root.annotations["state"])
    assert _text(summary.started_at) == told.started_at
    assert _text(summary.ended_at) == told.ended_at
    assert summary.duration_ms == told.duration_ms
    for name in ("correlation_id", "session_id", "parent_task_id"):
        assert getattr(summary, name) == root.annotations.get(name)
    assert summary.attempts == len(attempts)
    assert summary.retries == sum(node.kind == "retry" for node in drawn)
    replayed = sum(node.annotations["state"] == "replayed" for node in letters)
    assert (summary.dead_letters_replayed, summary.dead_letters_open) == (replayed, len(letters) - replayed)
    assert summary.children == len(alone.related_task_ids)
    reasons = set(alone.annotations.get("completeness", ()))
    # A graph that is cut says the same of itself; it is of the drawing, not of the history.
    assert set(summary.missing) - {"limit_reached"} == reasons - {"limit_reached"}
    assert (summary.completeness == "partial") == bool(summary.missing)
    queues = {name for node in attempts if (name := node.annotations.get("queue_name"))}
    assert set(summary.queue_names) == set(sorted(queues)[:50])
    _assert_failures(summary, attempts)


def _assert_failures(summary: TaskSummary, attempts: list[ExecutionGraphNode]) -> None:
    failed = {node.id: node for node in attempts if node.annotations["state"] in ("failed", "dead_lettered")}
    assert summary.failures_told == len(failed)
    assert len(summary.failures) == min(50, len(failed))
    for failure in summary.failures:
        node = failed[failure.node_id]
        assert (failure.ref, failure.outcome) == (node.annotations["ref"], node.annotations["outcome"])
        assert node.label.endswith(f"attempt {failure.number}")
        if "exception_type" in node.annotations and len(node.annotations["exception_type"]) < 300:
            assert failure.exception_type == node.annotations["exception_type"]


def _text(instant: Instant | None) -> str | None:
    return None if instant is None else format_instant(instant)
