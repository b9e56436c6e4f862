"""Messages that come again: lost acks, killed workers, lost channels, poison."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from consumer.bench import Bench, attempts, edges, nodes
from consumer.faults import NotedSink

from relayna.consumer import MemoryBroker, Message, RetryPolicy, TaskConsumer, TaskContext, TaskEnvelope
from relayna.events import DeliveryRepeated
from relayna.projections.graph import ExecutionGraph
from relayna.streams import Durability, Recorder
from relayna.topologies import SharedTasksSharedStatusTopology

pytestmark = pytest.mark.anyio

ONE_RETRY = RetryPolicy(max_retries=1, delay_ms=1_000)
CLASSIC = SharedTasksSharedStatusTopology(
    rabbitmq_url="amqp://broker.example",
    tasks_exchange="tasks",
    tasks_queue="work",
    tasks_routing_key="task",
    status_exchange="statuses",
    status_queue="statuses.all",
    max_priority=3,
)


class Counting:
    """A handler that counts how often it is entered."""

    def __init__(self) -> None:
        self.entered = 0

    async def __call__(self, task: TaskEnvelope, context: TaskContext) -> None:
        self.entered += 1


def anomalies(graph: ExecutionGraph) -> list[list[str]]:
    return [node.annotations.get("anomalies", []) for node in graph.nodes if node.kind == "task_attempt"]


async def test_a_lost_ack_is_no_second_attempt() -> None:
    handler = Counting()
    async with Bench() as bench:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=handler)
        bench.broker.lose_acks("work", 2)
        await bench.work_off(consumer, publish=lambda: bench.client.publish_task("order"))
        assert handler.entered == 1
        assert (await bench.told("order"))[-3:] == [
            "TaskMessageAcked",
            "DeliveryRepeated",
            "DeliveryRepeated",
        ]
        [attempt_id] = {e.envelope.attempt_id for e in await bench.events("order")} - {None}
        repeats = [e.envelope for e in await bench.events("order") if isinstance(e.body, DeliveryRepeated)]
        assert [one.event_id for one in repeats] == [f"{attempt_id}.repeated.{number}" for number in (1, 2)]
        assert [one.seq for one in repeats] == [None, None]
        graph = await bench.graph("order")
        assert attempts(graph) == [("acked", "succeeded")]
        assert anomalies(graph) == [["lost_ack"]]
        assert nodes(graph, "status_event") == ["processing", "completed"]
        assert graph.summary.graph_completeness == "full"
        assert bench.counters == {"relayna_settlements_lost_total": 2}


@pytest.mark.parametrize("outcome", ["retry", "dead letter", "manual retry"])
async def test_a_lost_ack_after_any_outcome(outcome: str) -> None:
    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        if outcome == "manual retry" and task.task_type is None:
            await context.manual_retry(task_type="again")
        elif outcome != "manual retry":
            raise KeyError("total")

    policy = RetryPolicy(max_retries=int(outcome == "retry"), delay_ms=1_000)
    async with Bench() as bench:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=handle, retry_policy=policy)
        bench.broker.lose_acks("work", 1)
        await bench.work_off(
            consumer, publish=lambda: bench.client.publish_task("order"), retries=policy.max_retries
        )
        graph = await bench.graph("order")
        assert anomalies(graph)[0] == ["lost_ack"]
        assert len(attempts(graph)) == (1 if outcome == "dead letter" else 2)
        assert graph.summary.graph_completeness == "full"
        assert bench.broker.depth("work.dead_letters") == (outcome != "manual retry")


async def test_a_message_without_an_id_is_never_taken_for_a_repeat() -> None:
    handler = Counting()
    async with Bench() as bench:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=handler)
        bench.broker.lose_acks("work", 1)
        body = Message(body=b'{"task_id":"order"}')
        await bench.work_off(
            consumer, publish=lambda: bench.broker.publish(body, exchange="", routing_key="work")
        )
        assert handler.entered == 2
        assert attempts(await bench.graph("order")) == [("acked", "succeeded")] * 2


async def test_two_messages_that_only_share_an_id_are_both_handled() -> None:
    both = anyio.Event()
    entered: list[object] = []

    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        entered.append(task.payload)
        if len(entered) == 2:
            both.set()
        await both.wait()

    async with Bench() as bench:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=handle, prefetch=2)
        async with bench.working(consumer):
            for payload in (1, 2):
                body = b'{"task_id":"order","payload":%d}' % payload
                message = Message(body=body, message_id="the same")
                await bench.broker.publish(message, exchange="", routing_key="work")
            await bench.settled()
    assert sorted(entered) == [1, 2]  # type: ignore[type-var]


async def test_handed_out_before_but_never_handled() -> None:
    handler = Counting()
    async with Bench() as bench:
        await bench.client.publish_task("order")
        async with bench.broker.consume("work", prefetch=1):
            pass
        consumer = TaskConsumer(rabbitmq=bench.client, handler=handler)
        async with bench.working(consumer):
            await bench.settled()
        graph = await bench.graph("order")
        assert attempts(graph) == [("acked", "succeeded")]
        assert anomalies(graph) == [[]]
        assert graph.summary.graph_completeness == "full"


class Doomed:
    """A worker whose handler never ends, and that can be killed."""

    def __init__(self, bench: Bench, *, prefetch: int = 1) -> None:
        self._bench = bench
        self._missing = prefetch
        self._entered = anyio.Event()
        self._sink = NotedSink(bench.recorder)
        self.consumer = TaskConsumer(
            rabbitmq=bench.client,
            handler=self._hang,
            retry_policy=ONE_RETRY,
            observation_sink=self._sink,
            drain_seconds=0,
            prefetch=prefetch,
        )

    async def _hang(self, task: TaskEnvelope, context: TaskContext) -> None:
        await context.publish_status("half")
        self._missing -= 1
        if self._missing == 0:
            self._entered.set()
        await anyio.sleep_forever()

    async def die_in_the_middle(self) -> None:
        """Take a delivery and vanish while handling it: no more events, no settlement."""
        async with anyio.create_task_group() as running:
            await running.start(self.consumer.run)
            await self._entered.wait()
            await self._bench.recorder.durable()
            self._sink.dead = True
            self._bench.broker.disconnect()
            self.consumer.stop()
        self._bench.broker.reconnect()


async def test_a_killed_worker_leaves_an_abandoned_attempt() -> None:
    handler = Counting()
    async with Bench() as bench:
        await bench.client.publish_task("order")
        await Doomed(bench).die_in_the_middle()
        consumer = TaskConsumer(rabbitmq=bench.client, handler=handler, retry_policy=ONE_RETRY)
        async with bench.working(consumer):
            await bench.settled()
        assert handler.entered == 1
        graph = await bench.graph("order")
        assert attempts(graph) == [("abandoned", "abandoned"), ("acked", "succeeded")]
        assert graph.annotations["completeness"] == ["unclosed"]
        assert graph.summary.status == "completed"
        assert {(kind, source) for source, kind, target in edges(graph) if "task-attempt" in target} == {
            ("received_by", "task:order")
        }


async def test_poison_is_given_up_by_the_number_of_attempts_that_never_ended() -> None:
    handler = Counting()
    async with Bench() as bench:
        await bench.client.publish_task("order")
        for _ in range(2):
            await Doomed(bench).die_in_the_middle()
        consumer = TaskConsumer(rabbitmq=bench.client, handler=handler, retry_policy=ONE_RETRY)
        async with bench.working(consumer):
            await bench.settled()
        assert handler.entered == 0
        graph = await bench.graph("order")
        assert attempts(graph) == [("abandoned", "abandoned")] * 2 + [("dead_lettered", "dead_lettered")]
        assert nodes(graph, "dlq_record") == ["poison"]
        assert bench.broker.depth("work.dead_letters") == 1


async def test_what_has_one_attempt_left_is_handled_one_at_a_time() -> None:
    """A worker's end speaks against all that it had in hand; only one of them was the cause."""
    running = most = 0

    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await anyio.wait_all_tasks_blocked()
        running -= 1

    async with Bench() as bench:
        for number in range(3):
            await bench.client.publish_task(f"order-{number}")
        await Doomed(bench, prefetch=3).die_in_the_middle()
        consumer = TaskConsumer(rabbitmq=bench.client, handler=handle, retry_policy=ONE_RETRY, prefetch=3)
        async with bench.working(consumer):
            await bench.settled()
        assert most == 1
        for number in range(3):
            graph = await bench.graph(f"order-{number}")
            assert attempts(graph) == [("abandoned", "abandoned"), ("acked", "succeeded")]


async def test_a_classic_queue_counts_no_deliveries_and_poison_is_found_all_the_same() -> None:
    async with Bench(CLASSIC) as bench:
        await bench.client.publish_task("order")
        for _ in range(2):
            await Doomed(bench).die_in_the_middle()
        async with bench.working(
            TaskConsumer(rabbitmq=bench.client, handler=Counting(), retry_policy=ONE_RETRY)
        ):
            await bench.settled()
        assert nodes(await bench.graph("order"), "dlq_record") == ["poison"]


async def test_a_channel_that_closes_while_the_handler_runs_releases_what_it_held() -> None:
    entered: list[int] = []

    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        if task.task_id != "order":
            return
        entered.append(len(entered))
        await context.spawn()
        if len(entered) == 1:
            bench.broker.disconnect()
            bench.broker.reconnect()

    async with Bench() as bench:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=handle)
        await bench.work_off(consumer, publish=lambda: bench.client.publish_task("order"))
        assert await bench.told("order") == [
            "TaskPublished",
            "TaskMessageReceived",
            "TaskLifecycleStatusPublished processing",
            "TaskMessageRejected",
            "TaskMessageReceived",
            "TaskLifecycleStatusPublished processing",
            "ChildRegistered",
            "TaskLifecycleStatusPublished completed",
            "TaskMessageAcked",
            "ChildFinished completed",
        ]
        graph = await bench.graph("order")
        assert attempts(graph) == [("released", "abandoned"), ("acked", "succeeded")]
        assert graph.summary.graph_completeness == "full"
        assert len(nodes(graph, "aggregation_child")) == 1


async def test_a_connection_that_drops_again_and_again_makes_no_poison() -> None:
    release = anyio.Event()
    entered: list[str] = []

    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        entered.append(context.attempt_id)
        everyone_in.set()
        await release.wait()

    everyone_in = anyio.Event()
    async with Bench() as bench:
        consumer = TaskConsumer(
            rabbitmq=bench.client, handler=handle, prefetch=5, retry_policy=RetryPolicy(max_retries=0)
        )
        async with bench.working(consumer):
            await bench.client.publish_task("order")
            for _ in range(4):
                await everyone_in.wait()
                everyone_in = anyio.Event()
                bench.broker.disconnect()
                bench.broker.reconnect()
            await everyone_in.wait()
            release.set()
            await bench.settled()
        assert len(entered) == 5
        graph = await bench.graph("order")
        assert attempts(graph) == [("released", "abandoned")] * 4 + [("acked", "succeeded")]
        assert bench.broker.depth("work.dead_letters") == 0


async def test_a_handler_that_is_still_waiting_for_its_start_is_not_run_without_a_channel() -> None:
    handler = Counting()

    class Dropping(MemoryBroker):
        dropped = False

        async def publish(self, message: Any, **where: Any) -> None:
            await super().publish(message, **where)
            if where["routing_key"] == "order" and not self.dropped:
                self.dropped = True
                self.disconnect()
                self.reconnect()

    async with Bench(broker=lambda clock: Dropping(clock=clock)) as bench:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=handler)
        await bench.work_off(consumer, publish=lambda: bench.client.publish_task("order"))
        assert handler.entered == 1
        assert attempts(await bench.graph("order")) == [("released", "abandoned"), ("acked", "succeeded")]


async def test_when_the_store_cannot_be_asked_the_handler_runs_and_it_is_counted() -> None:
    handler, sinks = Counting(), list[NotedSink]()

    def unreadable(recorder: Recorder) -> NotedSink:
        sinks.append(NotedSink(recorder))
        sinks[0].unreadable = True
        return sinks[0]

    async with Bench(sink=unreadable) as bench:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=handler)
        bench.broker.lose_acks("work", 1)
        await bench.work_off(consumer, publish=lambda: bench.client.publish_task("order"))
        assert handler.entered == 2
        assert bench.counters["relayna_repeat_checks_failed_total"] == 1
        assert attempts(await bench.graph("order")) == [("acked", "succeeded")] * 2


class SlowSink(NotedSink):
    """Whose store is slow at first: what was recorded stays in memory for the first promises."""

    promises = 0

    async def durable(self, *, budget_seconds: float = 0.25) -> Durability:
        self.promises += 1
        return Durability.PENDING if self.promises <= 2 else await super().durable()


async def test_a_repeat_is_found_though_its_attempt_is_not_stored_yet() -> None:
    handler = Counting()
    async with Bench(sink=SlowSink) as bench:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=handler)
        bench.broker.lose_acks("work", 1)
        await bench.work_off(consumer, publish=lambda: bench.client.publish_task("order"))
        assert handler.entered == 1
        assert bench.counters["relayna_settled_before_durable_total"] == 1
        assert anomalies(await bench.graph("order")) == [["lost_ack"]]
