"""Views over a task's stream, on a real server: what each shows, its limits, and that it is one stream."""

from __future__ import annotations

import anyio
import pytest
from servers import StoreUnderTest

from relayna.clock import FrozenClock
from relayna.consumer import MemoryBroker, RelaynaClient, RetryPolicy, TaskConsumer, TaskContext, TaskEnvelope
from relayna.errors import StoreUnreachable
from relayna.ids import TaskId
from relayna.observability import (
    DeadLetterNotFound,
    DLQService,
    ExecutionGraphService,
    RedisDLQStore,
    RedisObservationStore,
    RedisStatusStore,
    build_execution_graph,
    build_execution_view,
    encode_graph,
    make_redis_observation_sink,
)
from relayna.observability.stores import StatusStore
from relayna.streams import MemoryLog, TaskAddress
from relayna.topologies import SharedTasksSharedStatusTopology

pytestmark = pytest.mark.anyio

TOPOLOGY = SharedTasksSharedStatusTopology(
    rabbitmq_url="amqp://localhost",
    tasks_exchange="tasks",
    tasks_queue="tasks.all",
    tasks_routing_key="task",
    status_exchange="statuses",
    status_queue="statuses.all",
)


async def fail(task: TaskEnvelope, context: TaskContext) -> None:
    await context.publish_status("trying", meta={"attempt": context.retry_attempt})
    raise ValueError(f"cannot do {task.payload}")


async def play_failing_task(store: StoreUnderTest) -> RedisObservationStore:
    """One task, one retry, one dead letter, recorded through the documented names."""
    observations = RedisObservationStore(store.url, prefix=store.prefix)
    client = RelaynaClient(
        topology=TOPOLOGY, broker=MemoryBroker(), observation_sink=make_redis_observation_sink(observations)
    )
    consumer = TaskConsumer(
        rabbitmq=client, handler=fail, retry_policy=RetryPolicy(max_retries=1, delay_ms=20)
    )
    async with client, anyio.create_task_group() as running:
        await running.start(consumer.run)
        await client.publish_task("T", {"size": 3})
        broker = client.broker
        assert isinstance(broker, MemoryBroker)
        await broker.idle(resting=("statuses.all", "tasks.all.dead_letters", "tasks.all.dead_letters.record"))
        consumer.stop()
    return observations


async def test_each_view_shows_its_part_of_the_one_stream(store: StoreUnderTest) -> None:
    observations = await play_failing_task(store)
    statuses = RedisStatusStore(store.url, prefix=store.prefix)
    letters = DLQService(store=RedisDLQStore(store.url, prefix=store.prefix))
    history = await statuses.get_history("T")
    assert [record["status"] for record in history] == [
        "processing", "trying", "retrying", "processing", "trying", "failed",
    ]  # fmt: skip
    assert (await statuses.get_latest("T") or {})["status"] == "failed"
    observed = [record["event_type"] for record in await observations.get_history("T")]
    assert observed.count("TaskMessageReceived") == 2
    assert observed.count("ConsumerDeadLetterPublished") == 1
    assert "DeadLetterRecorded" not in observed
    (letter,) = await letters.list_dead_letters("T")
    assert letter["reason"] == "retries_exhausted"
    assert letter["exception_message"] == "cannot do {'size': 3}"
    assert letter["replay_count"] == 0
    assert await letters.get_dead_letter("T", letter["dead_letter_id"]) == letter
    with pytest.raises(DeadLetterNotFound):
        await letters.get_dead_letter("T", "another")
    assert len([key for key in store.all_keys() if key.endswith(":events")]) == 1


async def test_what_its_sink_writes_is_kept_as_long_as_is_said(store: StoreUnderTest) -> None:
    observations = await play_failing_task(store)
    async with observations:
        [state] = await observations.log.states([TaskAddress(TaskId("T"))])
    assert round((state.expires_in_ms or 0) / 86_400_000) == 7


async def test_the_views_build_the_same_graph_as_the_service(store: StoreUnderTest) -> None:
    observations = await play_failing_task(store)
    statuses = RedisStatusStore(store.url, prefix=store.prefix)
    letters = RedisDLQStore(store.url, prefix=store.prefix)
    built = build_execution_graph(
        topology=TOPOLOGY,
        task_id="T",
        status_histories={"T": await statuses.get_history("T")},
        observation_histories={"T": await observations.get_history("T")},
        dlq_records={"T": await letters.get_history("T")},
    )
    async with observations:
        served = await ExecutionGraphService(log=observations.log).get_graph("T")
    assert encode_graph(built) == encode_graph(served)
    assert served.summary.graph_completeness == "full"
    view = build_execution_view(served)
    assert view.mermaid.startswith("flowchart")
    assert view.summary == served.summary


async def test_limits_bound_what_a_view_returns_not_what_is_stored() -> None:
    clock = FrozenClock()
    async with MemoryLog(clock=clock) as log:
        view = StatusStore(log, ttl_seconds=100, history_maxlen=2, clock=clock)
        for status in ("a", "b", "c"):
            await view.add_status("T", status)
            clock.advance(40)
        assert [record["status"] for record in await view.get_history("T")] == ["b", "c"]
        clock.advance(50)
        assert [record["status"] for record in await view.get_history("T")] == ["c"]
        unlimited = StatusStore(log, clock=clock)
        assert [record["status"] for record in await unlimited.get_history("T")] == ["a", "b", "c"]
        assert await StatusStore(log, history_maxlen=0, clock=clock).get_history("T") == []


async def test_the_same_message_twice_is_one_status() -> None:
    clock = FrozenClock()
    async with MemoryLog(clock=clock) as log:
        view = StatusStore(log, clock=clock)
        for _ in range(2):
            await view.add_status("T", "processing", message_id="m-1")
        graph = await ExecutionGraphService(log=log, clock=clock).get_graph("T")
        assert [node.label for node in graph.nodes if node.kind == "status_event"] == ["processing"]
        assert "warnings" not in graph.annotations


async def test_adding_to_a_store_that_is_away_says_so() -> None:
    with pytest.raises(StoreUnreachable):
        await RedisStatusStore("redis://127.0.0.1:1/0").add_status("T", "processing")
