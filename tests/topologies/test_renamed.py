"""A topology under other names: nothing of it meets the original on a broker, and messages go the same ways."""

from __future__ import annotations

import pytest
from topologies.sample_topologies import SAMPLES, routed_sharded, shared, workflow

from relayna.errors import InvalidTopology
from relayna.topologies import (
    TOPOLOGIES,
    Declarations,
    aggregation_route,
    declarations,
    entry_route,
    renamed,
    stage_route,
    task_route,
    topology_kind,
)
from relayna.topologies.naming import LONGEST_QUEUE_NAME_BYTES


def names(declared: Declarations) -> list[str]:
    return [one.name for one in (*declared.exchanges, *declared.queues)]


def test_the_samples_are_of_every_kind() -> None:
    assert {topology_kind(one) for one in SAMPLES.values()} == {variant.kind for variant in TOPOLOGIES}


@pytest.mark.parametrize("sample", SAMPLES)
def test_it_shares_no_name_with_the_original(sample: str) -> None:
    original = SAMPLES[sample]
    before, after = (names(declarations(one)) for one in (original, renamed(original, suffix=".other")))
    assert len(after) == len(before)
    assert set(after).isdisjoint(before)
    assert [name.replace(".other", "", 1) for name in after] == before


@pytest.mark.parametrize("sample", SAMPLES)
def test_it_is_the_same_otherwise(sample: str) -> None:
    original = SAMPLES[sample]
    changed = renamed(original, suffix=".other")
    assert type(changed) is type(original)
    assert changed.rabbitmq_url == original.rabbitmq_url
    assert renamed(original, suffix="") == original


def test_routing_keys_stay() -> None:
    tasks, shards, stages = shared(), routed_sharded(), workflow()
    for route, topology, arguments in (
        (task_route, tasks, ()),
        (task_route, shards, ("email",)),
        (aggregation_route, shards, ("order-7",)),
        (stage_route, stages, ("resize",)),
        (entry_route, stages, ("upload",)),
    ):
        before = route(topology, *arguments)
        after = route(renamed(topology, suffix=".other"), *arguments)
        assert after.routing_key == before.routing_key
        assert after.exchange == f"{before.exchange}.other"


def test_a_name_that_grows_too_long_is_refused() -> None:
    full = shared(tasks_queue="x" * LONGEST_QUEUE_NAME_BYTES)
    with pytest.raises(InvalidTopology, match="tasks_queue"):
        renamed(full, suffix=".")
