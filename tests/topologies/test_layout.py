"""Layouts: they add up, and every variant has the same status part."""

from __future__ import annotations

import pytest
from topologies.sample_topologies import SAMPLES

from relayna.topologies import Exchange, Route, Topology
from relayna.topologies.layout import ConsumedQueue, Layout, Source, status_layout
from relayna.topologies.registry import variant_of


def test_layouts_add_up_in_order() -> None:
    first = Layout(
        exchanges=(Exchange(name="a"),),
        queues=(ConsumedQueue(name="q", consumer="worker", bindings=(Route("a", "k"),)),),
        sources=(Source(name="s", routes=(Route("a", "k"),)),),
    )
    second = Layout(exchanges=(Exchange(name="b"),), queues=(), sources=())
    assert (first + second).exchanges == (Exchange(name="a"), Exchange(name="b"))
    assert (first + second).queues == first.queues
    assert (first + second).sources == first.sources


@pytest.mark.parametrize("topology", SAMPLES.values(), ids=SAMPLES.keys())
def test_every_variant_gathers_all_statuses_in_one_queue(topology: Topology) -> None:
    layout = variant_of(topology).layout(topology)
    (hub,) = status_layout(topology).queues
    assert hub in layout.queues
    assert hub.bindings == (Route("status", "#"),)
    assert Exchange(name="status", kind="topic") in layout.exchanges


@pytest.mark.parametrize("topology", SAMPLES.values(), ids=SAMPLES.keys())
def test_every_worker_can_publish_statuses(topology: Topology) -> None:
    workers = [queue for queue in variant_of(topology).layout(topology).queues if queue.is_work]
    assert workers
    assert all("status" in worker.publishes_to for worker in workers)
