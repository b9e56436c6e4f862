"""Sharded aggregation: each shard has a queue on the status exchange, and no status strays into one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from topologies.sample_topologies import routed_sharded, shared_sharded

from relayna.errors import InvalidQuery, InvalidTopology
from relayna.topologies import (
    Binding,
    Route,
    Topology,
    aggregation_queue,
    aggregation_route,
    aggregation_shard,
    consumed_queues,
    declarations,
    status_route,
    task_route,
    topic_matches,
)

both = pytest.mark.parametrize("sharded", [shared_sharded, routed_sharded])


@both
def test_each_shard_has_its_queue(sharded: Callable[..., Topology]) -> None:
    topology = sharded()
    queues = [aggregation_queue(topology, shard) for shard in range(3)]
    assert queues == ["aggregation.0.queue", "aggregation.1.queue", "aggregation.2.queue"]
    assert consumed_queues(topology) == ("tasks.all", "status.hub", *queues)
    for shard, queue in enumerate(queues):
        bound = Binding(queue=queue, exchange="status", routing_key=f"aggregation.{shard}")
        assert bound in declarations(topology).bindings


@both
def test_children_of_one_parent_meet_in_one_shard(sharded: Callable[..., Topology]) -> None:
    topology = sharded(shard_count=8)
    assert aggregation_shard(topology, "order-7") == 7
    assert aggregation_route(topology, "order-7") == Route("status", "aggregation.7")


def test_tasks_go_as_without_aggregation() -> None:
    assert task_route(shared_sharded()) == Route("tasks", "task")
    assert task_route(routed_sharded(), "email") == Route("tasks", "email")


@both
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"shard_count": 0}, "shard_count"),
        ({"aggregation_queue_template": "aggregation"}, "aggregation_queue_template"),
        ({"aggregation_routing_prefix": ""}, "aggregation_routing_prefix"),
        ({"aggregation_queue_template": "s{shard}", "status_queue": "s1"}, "status_queue"),
    ],
)
def test_its_own_fields_are_checked(
    sharded: Callable[..., Topology], changes: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidTopology) as refused:
        sharded(**changes)
    assert refused.value.field == field


@pytest.mark.parametrize("shard", [-1, 3])
def test_a_shard_that_is_not_there(shard: int) -> None:
    with pytest.raises(InvalidQuery, match="between 0 and 2"):
        aggregation_queue(shared_sharded(), shard)


@given(task_id=st.text(st.characters()) | st.from_regex(r"aggregation\.[0-9]{1,3}", fullmatch=True))
def test_no_status_strays_into_an_aggregators_queue(task_id: str) -> None:
    topology = shared_sharded()
    key = status_route(topology, task_id).routing_key
    bindings = declarations(topology).bindings
    shard_keys = [
        one.routing_key for one in bindings if (one.exchange, "aggregation" in one.queue) == ("status", True)
    ]
    assert len(shard_keys) == 3
    assert not any(topic_matches(shard_key, key) for shard_key in shard_keys)
