"""Declarations: nothing is dropped by default, and a broker can carry all of it out."""

from __future__ import annotations

import pytest
from topologies.sample_topologies import SAMPLES, routed_sharded, shared, workflow

from relayna.errors import InvalidQuery, InvalidTopology
from relayna.topologies import (
    Binding,
    Declarations,
    Exchange,
    Queue,
    Topology,
    consumed_queues,
    dead_letter_declarations,
    dead_letter_queue_name,
    dead_letter_record_queue_name,
    declarations,
    recorded_queues,
    retry_declarations,
    retry_queue_name,
)

each_sample = pytest.mark.parametrize("topology", SAMPLES.values(), ids=SAMPLES.keys())


def queues_of(setup: Declarations) -> dict[str, Queue]:
    return {queue.name: queue for queue in setup.queues}


@each_sample
def test_every_consumed_queue_dead_letters_to_a_queue_that_is_declared(topology: Topology) -> None:
    setup = declarations(topology)
    queues = queues_of(setup)
    for name in consumed_queues(topology):
        exchange, key = queues[name].dead_letter_exchange, queues[name].dead_letter_routing_key
        assert exchange in {one.name for one in setup.exchanges}
        reached = [one.queue for one in setup.bindings if (one.exchange, one.routing_key) == (exchange, key)]
        to_record = [dead_letter_record_queue_name(name)] if name in recorded_queues(topology) else []
        assert reached == [dead_letter_queue_name(name), *to_record]
        assert set(reached) <= queues.keys()


@each_sample
def test_only_copies_give_way_when_they_are_too_many(topology: Topology) -> None:
    bounded = {name for name, queue in queues_of(declarations(topology)).items() if queue.max_length}
    assert bounded == set(map(dead_letter_record_queue_name, recorded_queues(topology)))


@each_sample
def test_what_one_queues_dead_letters_need_is_part_of_the_whole(topology: Topology) -> None:
    setup = declarations(topology)
    for name in consumed_queues(topology):
        part = dead_letter_declarations(topology, name)
        for field in part.__struct_fields__:
            assert set(getattr(part, field)) <= set(getattr(setup, field))
        assert dead_letter_queue_name(name) in queues_of(part)
    with pytest.raises(InvalidQuery, match="nobody"):
        dead_letter_declarations(topology, "nobody")


@each_sample
def test_what_is_bound_is_declared_once(topology: Topology) -> None:
    setup = declarations(topology)
    exchanges = [one.name for one in setup.exchanges]
    assert len(set(exchanges)) == len(exchanges)
    assert len(queues_of(setup)) == len(setup.queues)
    assert {one.exchange for one in setup.bindings} <= set(exchanges)
    assert {one.queue for one in setup.bindings} <= set(queues_of(setup))


def test_shared_tasks_in_full() -> None:
    def consumed(name: str) -> Queue:
        return Queue(
            name=name,
            dead_letter_exchange="status.dead_letters",
            dead_letter_routing_key=name,
            delivery_limit=100,
        )

    def letters(queue: str, key: str) -> Binding:
        return Binding(queue=queue, exchange="status.dead_letters", routing_key=key)

    assert declarations(shared()) == Declarations(
        exchanges=(
            Exchange(name="tasks", kind="direct"),
            Exchange(name="status", kind="topic"),
            Exchange(name="status.dead_letters", kind="direct"),
        ),
        queues=(
            Queue(name="tasks.all.dead_letters"),
            Queue(name="tasks.all.dead_letters.record", max_length=10_000),
            Queue(name="status.hub.dead_letters"),
            consumed("tasks.all"),
            consumed("status.hub"),
        ),
        bindings=(
            letters("tasks.all.dead_letters", "tasks.all"),
            letters("tasks.all.dead_letters.record", "tasks.all"),
            letters("status.hub.dead_letters", "status.hub"),
            Binding(queue="tasks.all", exchange="tasks", routing_key="task"),
            Binding(queue="status.hub", exchange="status", routing_key="#"),
        ),
    )


def test_a_named_dead_letter_exchange_routes_by_queue_name() -> None:
    setup = declarations(workflow(dead_letter_exchange="dead"))
    assert Exchange(name="dead", kind="direct") in setup.exchanges
    bound = Binding(queue="scan.resize.dead_letters", exchange="dead", routing_key="scan.resize")
    assert bound in setup.bindings
    assert queues_of(setup)["scan.resize"].dead_letter_routing_key == "scan.resize"


def test_priorities_make_the_queues_of_work_classic_and_leave_the_others() -> None:
    queues = queues_of(declarations(routed_sharded(max_priority=9)))
    for name in ("tasks.all", "aggregation.0.queue"):
        assert (queues[name].kind, queues[name].max_priority) == ("classic", 9)
        assert queues[name].delivery_limit is None
    for name in ("status.hub", "tasks.all.dead_letters"):
        assert (queues[name].kind, queues[name].max_priority) == ("quorum", None)


def test_only_consumed_queues_have_a_delivery_limit() -> None:
    queues = queues_of(declarations(shared(delivery_limit=7)))
    assert {name: queue.delivery_limit for name, queue in queues.items() if queue.delivery_limit} == {
        "tasks.all": 7,
        "status.hub": 7,
    }


def test_retry_queues_wait_and_give_back() -> None:
    setup = retry_declarations("orders", [1_000, 30_000, 1_000])
    assert setup == Declarations(
        queues=tuple(
            Queue(
                name=retry_queue_name("orders", delay_ms),
                message_ttl_ms=delay_ms,
                dead_letter_exchange="",
                dead_letter_routing_key="orders",
            )
            for delay_ms in (1_000, 30_000)
        )
    )


def test_no_delays_need_no_queues() -> None:
    assert retry_declarations("orders", ()) == Declarations()


@pytest.mark.parametrize(
    ("queue_name", "delay_ms"), [("orders", 0), ("orders", 2**32), ("", 1), ("x" * 237, 1)]
)
def test_retry_queues_that_no_broker_would_take(queue_name: str, delay_ms: int) -> None:
    with pytest.raises(InvalidTopology):
        retry_declarations(queue_name, [delay_ms])
