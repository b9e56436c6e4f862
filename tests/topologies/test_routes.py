"""Questions to any topology; each variant's own answers are tested beside it."""

from __future__ import annotations

import hashlib

import pytest
from topologies.sample_topologies import SAMPLES, routed, shared, workflow

from relayna.errors import InvalidQuery
from relayna.topologies import (
    Route,
    Topology,
    aggregation_queue,
    aggregation_route,
    aggregation_shard,
    consumed_queues,
    dead_letter_route,
    entry_route,
    recorded_queues,
    stage_named,
    stage_route,
    status_route,
    task_route,
    terminal_statuses,
    topology_kind,
)

each_sample = pytest.mark.parametrize("topology", SAMPLES.values(), ids=SAMPLES.keys())


def test_kinds_are_told() -> None:
    assert topology_kind(shared()) == "shared_tasks_shared_status"
    assert topology_kind(workflow()) == "shared_status_workflow"


@each_sample
def test_statuses_go_by_task_id(topology: Topology) -> None:
    assert status_route(topology, "order/7") == Route("status", "order/7")
    long = "x" * 256
    assert status_route(topology, long) == Route("status", hashlib.sha256(long.encode()).hexdigest())


def test_consumed_queues_are_named_in_order() -> None:
    assert consumed_queues(shared()) == ("tasks.all", "status.hub")
    assert consumed_queues(workflow()) == ("scan.ingest", "scan.resize", "status.hub")


@each_sample
def test_dead_letters_of_all_queues_but_that_of_statuses_are_recorded(topology: Topology) -> None:
    assert recorded_queues(topology) == tuple(
        queue for queue in consumed_queues(topology) if queue != topology.status_queue
    )


def test_terminal_statuses_are_added_to_the_usual_ones() -> None:
    usual = {"completed", "failed", "dead_lettered", "cancelled"}
    assert terminal_statuses(shared()) == usual
    assert terminal_statuses(shared(terminal_statuses=["archived"])) == usual | {"archived"}


def test_dead_letters_go_through_the_named_exchange_or_one_of_the_topologys_own() -> None:
    assert dead_letter_route(shared(), "tasks.all") == Route("status.dead_letters", "tasks.all")
    named = shared(dead_letter_exchange="dead")
    assert dead_letter_route(named, "tasks.all") == Route("dead", "tasks.all")


def test_questions_that_a_variant_has_no_answer_to() -> None:
    with pytest.raises(InvalidQuery, match="has no tasks; use entry_route"):
        task_route(workflow())
    for question in (
        lambda: aggregation_route(routed(), "order-7"),
        lambda: aggregation_shard(shared(), "order-7"),
        lambda: aggregation_queue(workflow(), 0),
    ):
        with pytest.raises(InvalidQuery, match="has no aggregation"):
            question()
    for question in (
        lambda: stage_named(shared(), "ingest"),
        lambda: stage_route(shared(), "ingest"),
        lambda: entry_route(shared(), "upload"),
    ):
        with pytest.raises(InvalidQuery, match="has no stages"):
            question()
