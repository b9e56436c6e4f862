"""Where a task stands: what its graph says of it in short. Pure; says nothing that the graph does not say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal

from msgspec import Struct, field

from relayna.instants import UNTIMED, parse_instant
from relayna.projections.graph import ExecutionGraph, ExecutionGraphNode, NodeState
from relayna.projections.task_why import Awaited
from relayna.projections.waiting import what_it_waits_for

__all__ = ["LastFailure", "RunningAttempt", "Standing", "standing_of"]

_ATTEMPTS: Final = ("task_attempt", "stage_attempt")
_MOST_LISTED: Final = 100


class RunningAttempt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An attempt that has begun, and of whose end nothing is known."""

    node: str
    """The node's id in the graph."""
    ref: str
    """The attempt's id."""
    label: str
    since: str | None = None
    stage: str | None = None
    queue_name: str | None = None
    consumer_name: str | None = None


class LastFailure(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The attempt that failed last, or the last dead letter where no attempt says why."""

    node: str
    ref: str
    label: str
    at: str | None = None
    outcome: str | None = None
    """What became of it: `retried`, `dead_lettered`, …"""
    exception_type: str | None = None
    exception_message: str | None = None
    reason: str | None = None
    """Of a dead letter."""


class Standing(Struct, frozen=True, kw_only=True):
    """A task at a glance. Of its children only those that it speaks of count, and no attempts of theirs."""

    task_id: str
    topology_kind: str | None
    status: str | None
    """The latest; null when none was published."""
    since: str | None
    """When it was published."""
    message: str | None
    """What was published with it."""
    state: NodeState | None
    """Of the graph's root: what attempts tell, beside statuses."""
    started_at: str | None
    ended_at: str | None
    duration_ms: int | None
    graph_completeness: Literal["full", "partial"]
    missing: list[str]
    """The reasons why it is partial."""
    attempts: int = 0
    failed_attempts: int = 0
    retries: int = 0
    dead_letters: int = 0
    dead_letters_replayed: int = 0
    children: int = 0
    children_ended: int = 0
    """As the task itself was told."""
    running: list[RunningAttempt] = field(default_factory=list)
    """At most 100."""
    waits_for: list[Awaited] = field(default_factory=list)
    """What has to happen before the task can end; at most 100, and empty once it has ended."""
    last_failure: LastFailure | None = None


def standing_of(graph: ExecutionGraph) -> Standing:
    """Where the graph's root stands. Linear."""
    root = next(node for node in graph.nodes if node.kind == "task")
    own = [node for node in graph.nodes if node.task_id == graph.task_id]
    attempts = [node for node in own if node.kind in _ATTEMPTS]
    failed = [node for node in attempts if node.annotations.get("state") in ("failed", "dead_lettered")]
    letters = [node for node in own if node.kind == "dlq_record"]
    children = [edge for edge in graph.edges if edge.kind == "aggregated_into" and edge.target == root.id]
    latest, missing = _latest_status(own), _missing(graph)
    summary = graph.summary
    return Standing(
        task_id=graph.task_id,
        topology_kind=graph.topology_kind,
        status=summary.status,
        since=None if latest is None else latest.timestamp,
        message=None if latest is None else latest.annotations.get("message"),
        state=root.annotations.get("state"),
        started_at=summary.started_at,
        ended_at=summary.ended_at,
        duration_ms=summary.duration_ms,
        graph_completeness="partial" if missing else "full",
        missing=missing,
        attempts=len(attempts),
        failed_attempts=len(failed),
        retries=sum(node.kind == "retry" for node in own),
        dead_letters=len(letters),
        dead_letters_replayed=sum(node.annotations.get("state") == "replayed" for node in letters),
        children=len(children),
        children_ended=sum(edge.timestamp is not None for edge in children),
        running=[_running(node) for node in attempts if node.annotations.get("state") == "running"][
            :_MOST_LISTED
        ],
        waits_for=[one for one in what_it_waits_for(graph, root) if one.kind != "attempt"][:_MOST_LISTED],
        last_failure=_last_failure(_that_say_why(failed) or letters or failed),
    )


def _missing(graph: ExecutionGraph) -> list[str]:
    """Why the graph is partial, but for children that were not to be drawn."""
    reasons = graph.annotations.get("completeness", ())
    depth_alone = set(graph.annotations.get("truncated", ())) == {"depth"}
    return [reason for reason in reasons if not (depth_alone and reason == "limit_reached")]


def _latest_status(nodes: Iterable[ExecutionGraphNode]) -> ExecutionGraphNode | None:
    # Statuses are numbered in the order in which they happened; clocks may have put them into another.
    statuses = (node for node in nodes if node.kind == "status_event")
    return max(statuses, key=lambda node: int(node.id.rpartition(":")[2]), default=None)


def _that_say_why(failed: Iterable[ExecutionGraphNode]) -> list[ExecutionGraphNode]:
    return [node for node in failed if "exception_type" in node.annotations]


def _running(node: ExecutionGraphNode) -> RunningAttempt:
    notes = node.annotations
    return RunningAttempt(
        node=node.id,
        ref=notes["ref"],
        label=node.label,
        since=node.timestamp,
        **_told(notes, "stage", "queue_name", "consumer_name"),
    )


def _last_failure(failures: Iterable[ExecutionGraphNode]) -> LastFailure | None:
    last = max(failures, key=lambda node: parse_instant(node.timestamp) or UNTIMED, default=None)
    if last is None:
        return None
    names = ("outcome", "exception_type", "exception_message", "reason")
    return LastFailure(
        node=last.id,
        ref=last.annotations["ref"],
        label=last.label,
        at=last.timestamp,
        **_told(last.annotations, *names),
    )


def _told(notes: dict[str, Any], *names: str) -> dict[str, Any]:  # Any: JSON values
    return {name: notes[name] for name in names if name in notes}
