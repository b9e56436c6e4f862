"""The status hub in memory: its contract, and what only a broker in memory can be made to do."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from consumer.bench import SHARED, Bench, nodes
from consumer.record_world import RecordWorld, running, world_topology
from consumer.status_hub_contract import StatusHubContract
from consumer.test_aggregation_consumer import SHARDED, ignore, report, workers

from relayna.consumer import MemoryBroker, RelaynaClient, Settlement, StatusHub
from relayna.errors import InvalidSetting
from relayna.events import StatusPublished

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world() -> AsyncIterator[RecordWorld]:
    async with RecordWorld(MemoryBroker(), world_topology("hub")) as world:
        yield world


class TestContract(StatusHubContract):
    pass


async def test_a_childs_report_is_one_status_of_the_child() -> None:
    async with Bench(SHARDED) as bench:
        await bench.work_off(
            *workers(bench, report, ignore), publish=lambda: bench.client.publish_task("parent")
        )
        before = await bench.graph("parent")
        async with bench.working(StatusHub(rabbitmq=bench.client)):
            await bench.broker.wait_until_empty("statuses.all")
        after = await bench.graph("parent")
        assert nodes(after, "status_event") == nodes(before, "status_event")
        assert [node.id for node in after.nodes] == [node.id for node in before.nodes]
        assert len(after.edges) == len(before.edges)
        assert "warnings" not in after.annotations


async def test_a_redelivered_status_is_recorded_as_the_same_one(world: RecordWorld) -> None:
    assert isinstance(world.broker.broker, MemoryBroker)
    async with running(StatusHub(rabbitmq=world.client)):
        world.broker.broker.lose_acks(world.topology.status_queue, 2)
        await world.send_status({"task_id": "T", "status": "imported"}, message_id="M")
        await world.until_settled(world.topology.status_queue, 1)
    recorded = await world.events("T")
    assert {event.envelope.event_id for event in recorded} == {"M.status"}
    assert len(recorded) == 3
    assert nodes(await world.graph("T"), "status_event") == ["imported"]
    assert world.counters["relayna_settlements_lost_total"] == 2


async def test_messages_that_all_have_the_tasks_id_are_statuses_of_their_own(world: RecordWorld) -> None:
    async with running(StatusHub(rabbitmq=world.client)):
        for status in ("begun", "done"):
            await world.send_status({"task_id": "T", "status": status}, message_id="T")
        await world.until_settled(world.topology.status_queue, 2)
    assert nodes(await world.graph("T"), "status_event") == ["begun", "done"]


@pytest.mark.parametrize(
    ("status", "parent", "session", "correlation"),
    [
        ({"parent_task_id": "P", "session_id": "S", "correlation_id": "C"}, "P", "S", "C"),
        ({"meta": {"parent_task_id": "P"}}, "P", None, None),
        ({"meta": [1], "message": {"odd": 1}, "timestamp": "next tuesday"}, None, None, None),
    ],
)
async def test_what_a_status_says_of_its_task(
    world: RecordWorld,
    status: dict[str, object],
    parent: str | None,
    session: str | None,
    correlation: str | None,
) -> None:
    async with running(StatusHub(rabbitmq=world.client)):
        await world.send_status({"task_id": 7, "status": "imported", **status})
        await world.until_settled(world.topology.status_queue, 1)
    [event] = await world.events("7")
    envelope = event.envelope
    assert (envelope.parent_task_id, envelope.session_id, envelope.correlation_id) == (
        parent,
        session,
        correlation,
    )
    if parent:
        assert {type(one.body).__name__ for one in await world.events(parent)} == {"ChildRegistered"}


async def test_one_task_that_the_store_refuses_holds_up_no_other(
    world: RecordWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relayna.consumer.attempts.performance._PAUSE_SECONDS", 0)
    monkeypatch.setattr("relayna.consumer.fact_consumer._PAUSE_SECONDS", 0)
    queue = world.topology.status_queue
    world.log.refused = {"bad"}
    async with running(StatusHub(rabbitmq=world.client, observation_sink=world.recorder())):
        await world.send_status({"task_id": "bad", "status": "imported"})
        for number in range(20):
            await world.send_status({"task_id": f"T{number}", "status": "imported"})
        await world.until_settled(queue, 20)
        await world.until_settled(queue, 1, Settlement.RELEASE)
        world.log.refused = set()
        await world.until_settled(queue, 21)
    assert world.counters["relayna_statuses_unrecorded_total"] >= 1
    assert isinstance((await world.events("bad"))[-1].body, StatusPublished)


async def test_a_mistake_in_reading_gives_the_message_back(
    world: RecordWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relayna.consumer.attempts.performance._PAUSE_SECONDS", 0)
    hub = StatusHub(rabbitmq=world.client)
    read = hub.read

    def stumble(delivery: object) -> object:
        monkeypatch.setattr(hub, "read", read)
        raise KeyError("a mistake")

    monkeypatch.setattr(hub, "read", stumble)
    async with running(hub):
        await world.send_status({"task_id": "T", "status": "imported"})
        await world.until_settled(world.topology.status_queue, 1)
    assert world.counters["relayna_statuses_failed_total"] == 1
    assert nodes(await world.graph("T"), "status_event") == ["imported"]


@pytest.mark.parametrize("options", [{"prefetch": 0}, {"drain_seconds": -1}])
def test_numbers_that_make_no_sense_are_refused(options: dict[str, int]) -> None:
    bench = Bench()
    with pytest.raises(InvalidSetting):
        StatusHub(rabbitmq=bench.client, **options)


def test_without_a_sink_there_is_nowhere_to_record() -> None:
    with pytest.raises(InvalidSetting, match="observation_sink"):
        StatusHub(rabbitmq=RelaynaClient(topology=SHARED, broker=MemoryBroker()))
