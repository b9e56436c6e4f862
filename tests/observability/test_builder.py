"""Graphs from plain dictionaries: foreign records, in any order, with or without ids."""

from __future__ import annotations

import random
from typing import Any

import pytest

from relayna.observability import build_execution_graph, encode_graph
from relayna.projections.graph import ExecutionGraph
from relayna.topologies import SharedTasksSharedStatusTopology

Records = dict[str, list[dict[str, Any]]]

TOPOLOGY = SharedTasksSharedStatusTopology(
    rabbitmq_url="amqp://localhost",
    tasks_exchange="tasks",
    tasks_queue="tasks.all",
    tasks_routing_key="task",
    status_exchange="statuses",
    status_queue="statuses.all",
)


def second(number: int) -> str:
    return f"2026-01-01T00:00:{number:02}Z"


STATUSES = [
    {"status": "processing", "timestamp": second(0)},
    {"status": "failed", "timestamp": second(3)},
]
OBSERVATIONS = [
    {"event_type": "TaskMessageReceived", "timestamp": second(0), "queue_name": "tasks.all"},
    {"event_type": "ConsumerRetryScheduled", "timestamp": second(1), "retry_attempt": 1, "max_retries": 1},
    {
        "event_type": "TaskMessageReceived",
        "timestamp": second(2),
        "queue_name": "tasks.all",
        "retry_attempt": 1,
    },
    {
        "event_type": "ConsumerDeadLetterPublished",
        "timestamp": second(3),
        "retry_attempt": 1,
        "reason": "boom",
    },
]
LETTERS = [{"dlq_id": "letter-1", "timestamp": second(3), "retry_attempt": 1, "reason": "boom"}]


def build(
    statuses: list[dict[str, Any]] | None = None,
    observations: list[dict[str, Any]] | None = None,
    letters: list[dict[str, Any]] | None = None,
    **options: Any,
) -> ExecutionGraph:
    return build_execution_graph(
        topology=TOPOLOGY,
        task_id="T",
        status_histories={"T": statuses or []},
        observation_histories={"T": observations or []},
        dlq_records={"T": letters or []},
        **options,
    )


def test_two_attempts_a_retry_and_a_dead_letter() -> None:
    graph = build(STATUSES, OBSERVATIONS, LETTERS)
    edges = {(edge.kind, edge.source, edge.target) for edge in graph.edges}
    assert edges == {
        ("received_by", "task:T", "task-attempt:T:1"),
        ("received_by", "retry:T:1", "task-attempt:T:2"),
        ("retried_as", "task-attempt:T:1", "retry:T:1"),
        ("dead_lettered_to", "task-attempt:T:2", "dlq:T:1"),
        ("published_status", "task-attempt:T:1", "status:T:1"),
        ("published_status", "task-attempt:T:2", "status:T:2"),
    }
    assert len(graph.edges) == len(edges)
    assert all(
        edge.annotations["evidence"] == "inferred" and edge.annotations["rule"] for edge in graph.edges
    )
    assert graph.summary.status == "failed"
    assert graph.summary.duration_ms == 3000
    assert graph.summary.graph_completeness == "full"
    assert graph.topology_kind == "shared_tasks_shared_status"


def test_order_and_repeats_change_nothing() -> None:
    expected = encode_graph(build(STATUSES, OBSERVATIONS, LETTERS))
    shuffler = random.Random(7)
    for _ in range(100):
        lists = [records * 2 for records in (STATUSES, OBSERVATIONS, LETTERS)]
        for records in lists:
            shuffler.shuffle(records)
        assert encode_graph(build(*lists)) == expected


def test_times_with_offsets_are_compared_as_instants() -> None:
    graph = build(
        [
            {"status": "completed", "timestamp": "2026-01-01T10:00:05Z"},
            {"status": "processing", "timestamp": "2026-01-01T12:00:01+02:00"},
        ]
    )
    assert graph.summary.status == "completed"
    assert graph.summary.duration_ms == 4000


def test_a_status_older_than_any_attempt_hangs_on_the_task() -> None:
    graph = build(
        [{"status": "queued", "timestamp": second(0)}], [{**OBSERVATIONS[0], "timestamp": second(5)}]
    )
    status = next(edge for edge in graph.edges if edge.kind == "published_status")
    assert status.source == "task:T"


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ({"status": "processing", "timestamp": "soon"}, "bad_timestamp"),
        ({"status": "processing", "timestamp": second(1), "meta": "none"}, "bad_field"),
        ({"timestamp": second(1)}, "bad_record"),
        ("processing", "bad_record"),
    ],
)
def test_a_bad_record_is_a_warning(record: Any, code: str) -> None:
    graph = build([STATUSES[0], record])
    assert code in {warning["code"] for warning in graph.annotations["warnings"]}
    assert graph.summary.status == "processing"


def test_statuses_and_dead_letters_alone_give_a_partial_graph() -> None:
    graph = build(STATUSES, None, LETTERS)
    assert sorted(node.kind for node in graph.nodes) == ["dlq_record", "status_event", "status_event", "task"]
    assert graph.summary.graph_completeness == "partial"
    assert graph.annotations["completeness"] == ["no_observations"]


def test_nothing_at_all_is_a_root() -> None:
    graph = build()
    assert [node.id for node in graph.nodes] == ["task:T"]
    assert graph.summary.status is None
    assert graph.summary.started_at is None


def test_the_kind_may_be_named_or_left_out() -> None:
    options: dict[str, Any] = {"status_histories": {}, "observation_histories": {}, "dlq_records": {}}
    named = build_execution_graph(topology="shared_status_workflow", task_id="T", **options)
    assert named.topology_kind == "shared_status_workflow"
    assert build_execution_graph(topology=None, task_id="T", **options).task_id == "T"


def test_related_tasks_are_children() -> None:
    graph = build_execution_graph(
        topology=TOPOLOGY,
        task_id="T",
        status_histories={"C": [{"status": "completed", "timestamp": second(4)}]},
        observation_histories={"T": OBSERVATIONS[:1]},
        dlq_records={},
        related_task_ids=["C", "D"],
    )
    assert graph.related_task_ids == ["C", "D"]
    times = {edge.source: edge.timestamp for edge in graph.edges if edge.kind == "aggregated_into"}
    assert times == {
        "aggregation_child:C": "2026-01-01T00:00:04+00:00",
        "aggregation_child:D": None,
    }


def test_a_topology_may_name_its_own_ends() -> None:
    topology = SharedTasksSharedStatusTopology(
        rabbitmq_url="amqp://localhost",
        tasks_exchange="tasks",
        tasks_queue="tasks.all",
        tasks_routing_key="task",
        status_exchange="statuses",
        status_queue="statuses.all",
        terminal_statuses=("archived",),
    )
    records = {"C": [{"status": "archived", "timestamp": second(4), "parent_task_id": "T"}]}
    options: dict[str, Any] = {
        "observation_histories": {"T": OBSERVATIONS[:1]},
        "dlq_records": {},
        "task_id": "T",
    }
    options["status_histories"] = records
    ended = build_execution_graph(topology=topology, **options)
    open_still = build_execution_graph(topology=TOPOLOGY, **options)
    assert [edge.timestamp for edge in ended.edges if edge.kind == "aggregated_into"] == [
        "2026-01-01T00:00:04+00:00"
    ]
    assert [edge.timestamp for edge in open_still.edges if edge.kind == "aggregated_into"] == [None]
