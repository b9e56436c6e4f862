"""What a row says of a task is what the graph of the same history says."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from projections.golden_histories import GOLDEN_HISTORIES
from projections.hostile_histories import histories
from projections.laws import fold
from projections.random_histories import random_history
from projections.summary_agreement import assert_agree

from relayna.events import RecordedEvent
from relayna.events.history import StreamFact
from relayna.ids import TaskId
from relayna.instants import parse_instant
from relayna.projections.execution import GraphQuery
from relayna.projections.graph import ExecutionGraph
from relayna.projections.projection import Item
from relayna.projections.registry import execution_projection_for
from relayna.projections.task_summary import TASK_SUMMARY, TaskSummary
from relayna.testing import history
from relayna.testing.projection_spec import given_to

FIRST_SEED = 20_260_101


def both(
    items: Sequence[Item], query: GraphQuery, root: str = "root"
) -> tuple[TaskSummary, ExecutionGraph, ExecutionGraph]:
    """The summary of the root, its graph, and its graph without the histories of others."""
    kinds = [
        item.value or ""
        for item in items
        if isinstance(item, StreamFact) and item.name == "topology_kind" and item.task_id == root
    ]
    graphs = execution_projection_for(kinds)
    own = [item for item in items if _task_of(item) == root]
    alone = GraphQuery(at=query.at, depth=0, terminal_statuses=query.terminal_statuses)
    summary = TASK_SUMMARY.finish(fold(TASK_SUMMARY, items, root), query).summary
    return (
        summary,
        graphs.finish(fold(graphs, items, root), query),
        graphs.finish(fold(graphs, own, root), alone),
    )


def _task_of(item: Item) -> TaskId:
    return item.envelope.task_id if isinstance(item, RecordedEvent) else item.task_id


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + 80))
def test_realistic_histories_agree(seed: int) -> None:
    items = random_history(seed)
    for task_id in sorted({event.envelope.task_id for event in items}):
        summary, _, alone = both(items, GraphQuery(), task_id)
        assert_agree(summary, alone)


@settings(max_examples=250)
@given(items=histories)
def test_any_history_agrees(items: list[Item]) -> None:
    for query in (GraphQuery(), GraphQuery(at=1_500_000), GraphQuery(terminal_statuses=("parked",))):
        summary, _, alone = both(items, query)
        assert_agree(summary, alone)


@pytest.mark.parametrize("story", GOLDEN_HISTORIES, ids=lambda story: story.__name__)
def test_the_golden_histories_agree(story: Callable[[], list[Item]]) -> None:
    items = story()
    root = next(_task_of(item) for item in items)
    summary, graph, alone = both(items, GraphQuery(), root)
    assert_agree(summary, alone)
    assert summary.status == graph.summary.status


def test_a_retried_and_dead_lettered_task() -> None:
    attempt = history("T").published(task_type="resize").attempt()
    attempt = attempt.fails("TimeoutError", "no answer").retried(delay_ms=500).after(0.5).attempt()
    events = attempt.fails("ValueError", "x" * 500).dead_lettered().events
    account = given_to(TASK_SUMMARY, events, default_query=GraphQuery()).when().answer
    summary = account.summary
    assert (summary.task_type, summary.state, summary.attempts, summary.retries) == ("resize", "failed", 2, 1)
    assert (summary.dead_letters_open, summary.dead_letters_replayed) == (1, 0)
    first, second = summary.failures
    assert (first.exception_type, first.outcome, first.node_id) == (
        "TimeoutError", "retried", "task-attempt:T:1",
    )  # fmt: skip
    assert (second.number, second.outcome, len(second.exception_message or "")) == (2, "dead_lettered", 300)
    assert summary.updated_at == max(event.envelope.timestamp for event in events)


def test_a_replayed_letter_is_not_open() -> None:
    attempt = history("T").published().attempt().fails().dead_lettered().replayed().attempt()
    summary = TASK_SUMMARY.finish(fold(TASK_SUMMARY, attempt.acked().events, "T"), GraphQuery()).summary
    assert (summary.dead_letters_open, summary.dead_letters_replayed) == (0, 1)
    [letter] = summary.dead_letters
    assert (letter.replayed, letter.replay_count) == (True, 1)


def test_of_many_failures_the_newest_are_kept_and_all_are_counted() -> None:
    attempt = history("T").published().attempt()
    for _ in range(60):
        attempt = attempt.fails().retried().attempt()
    summary = TASK_SUMMARY.finish(fold(TASK_SUMMARY, attempt.acked().events, "T"), GraphQuery()).summary
    assert (len(summary.failures), summary.failures_told) == (50, 60)
    assert [failure.number for failure in summary.failures] == list(range(11, 61))


def test_nothing_recorded_is_a_summary_of_nothing() -> None:
    summary = TASK_SUMMARY.finish(TASK_SUMMARY.initial(TaskId("T")), GraphQuery()).summary
    assert (summary.task_id, summary.attempts, summary.started_at) == ("T", 0, None)
    assert summary.missing == ("no_observations",)


def test_a_stream_that_was_not_read_to_its_end_is_partial() -> None:
    fact = StreamFact(task_id=TaskId("T"), name="limit_reached")
    items = [*history("T").published().attempt().acked().events, fact]
    summary = TASK_SUMMARY.finish(fold(TASK_SUMMARY, items, "T"), GraphQuery()).summary
    assert (summary.completeness, summary.missing) == ("partial", ("limit_reached",))


def test_times_are_raw() -> None:
    events = history("T").published(skew=-3600).attempt().acked().events
    summary = TASK_SUMMARY.finish(fold(TASK_SUMMARY, events, "T"), GraphQuery()).summary
    assert summary.started_at is not None
    assert summary.started_at > (parse_instant("2025-12-31T22:00:00Z") or 0)
