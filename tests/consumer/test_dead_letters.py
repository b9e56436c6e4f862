"""The recorder of dead letters in memory: its contract, and what only a broker in memory can be made to do."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from consumer.bench import nodes
from consumer.dead_letter_recorder_contract import DeadLetterRecorderContract, die_at_work, letters
from consumer.record_world import RecordWorld, running, world_topology

from relayna.consumer import DeadLetterRecorder, MemoryBroker, Message, RelaynaClient
from relayna.topologies import (
    Declarations,
    Queue,
    SharedStatusWorkflowTopology,
    WorkflowStage,
    dead_letter_queue_name,
    dead_letter_record_queue_name,
    dead_letter_route,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world() -> AsyncIterator[RecordWorld]:
    async with RecordWorld(MemoryBroker(), world_topology("letters", delivery_limit=1)) as world:
        yield world


class TestContract(DeadLetterRecorderContract):
    pass


async def test_a_message_that_expired_in_a_queue_before_ours_is_recorded(world: RecordWorld) -> None:
    work = world.topology.tasks_queue
    route = dead_letter_route(world.topology, work)
    lobby = Queue(
        name="lobby",
        message_ttl_ms=1,
        dead_letter_exchange=route.exchange,
        dead_letter_routing_key=route.routing_key,
    )
    await world.broker.declare(Declarations(queues=(lobby,)))
    async with running(DeadLetterRecorder(rabbitmq=world.client)):
        await world.broker.publish(Message(body=b'{"task_id": "T"}'), exchange="", routing_key="lobby")
        await world.until_settled(dead_letter_record_queue_name(work), 1)
    assert nodes(await world.graph("T"), "dlq_record") == ["expired"]


async def test_a_redelivered_copy_is_recorded_as_the_same_letter(world: RecordWorld) -> None:
    assert isinstance(world.broker.broker, MemoryBroker)
    record_queue = dead_letter_record_queue_name(world.topology.tasks_queue)
    await world.client.publish_task("T")
    for _ in range(2):
        await die_at_work(world)
    async with running(DeadLetterRecorder(rabbitmq=world.client)):
        world.broker.broker.lose_acks(record_queue)
        await world.until_settled(record_queue, 1)
    assert len(letters(await world.events("T"))) == 2
    graph = await world.graph("T")
    assert nodes(graph, "dlq_record") == ["delivery_limit"]
    assert "warnings" not in graph.annotations


async def test_copies_that_nobody_records_give_way_and_the_letters_stay(world: RecordWorld) -> None:
    assert isinstance(world.broker.broker, MemoryBroker)
    work, too_many = world.topology.tasks_queue, 10_005
    route = dead_letter_route(world.topology, work)
    for number in range(too_many):
        body = b'{"task_id": "T%d"}' % number
        await world.broker.publish(Message(body=body), exchange=route.exchange, routing_key=route.routing_key)
    assert world.broker.broker.depth(dead_letter_queue_name(work)) == too_many
    assert world.broker.broker.depth(dead_letter_record_queue_name(work)) == 10_000
    assert world.broker.broker.dropped(dead_letter_record_queue_name(work)) == 5


async def test_a_letter_of_a_stage_names_it(world: RecordWorld) -> None:
    topology = SharedStatusWorkflowTopology(
        rabbitmq_url="amqp://broker.example",
        status_exchange="scans.statuses",
        status_queue="scans.statuses.all",
        workflow_exchange="scans",
        stages=(
            WorkflowStage(name="resize", queue="q.resize", binding_keys=("r",), publish_routing_key="r"),
        ),
    )
    client = RelaynaClient(topology=topology, broker=world.broker, observation_sink=world.recorder())
    async with client, running(DeadLetterRecorder(rabbitmq=client)):
        route = dead_letter_route(topology, "q.resize")
        body = b'{"task_id": "T", "message_id": "M"}'
        await world.broker.publish(Message(body=body), exchange=route.exchange, routing_key=route.routing_key)
        await world.until_settled("q.resize.dead_letters.record", 1)
    [letter] = letters(await world.events("T"))
    assert (letter.stage, letter.message_id, letter.reason) == ("resize", "M", None)
