"""Registrations: what a variant says agrees with what it declares."""

from __future__ import annotations

import pytest
from topologies.sample_topologies import SAMPLES

from relayna.topologies import Topology, declarations, topic_matches
from relayna.topologies.registry import variant_of


@pytest.mark.parametrize("topology", SAMPLES.values(), ids=SAMPLES.keys())
def test_whatever_a_source_publishes_reaches_a_consumed_queue(topology: Topology) -> None:
    layout = variant_of(topology).layout(topology)
    kinds = {exchange.name: exchange.kind for exchange in layout.exchanges}
    routes = [route for source in layout.sources for route in source.routes]
    assert routes
    for route in routes:
        reached = [
            one.queue
            for one in declarations(topology).bindings
            if one.exchange == route.exchange
            and (
                one.routing_key == route.routing_key
                or (kinds[route.exchange] == "topic" and topic_matches(one.routing_key, route.routing_key))
            )
        ]
        assert reached


@pytest.mark.parametrize("topology", SAMPLES.values(), ids=SAMPLES.keys())
def test_a_variant_has_tasks_or_stages(topology: Topology) -> None:
    variant = variant_of(topology)
    assert (variant.task_route is None) is (variant.workflow is not None)
