"""Many tasks in one message: each is unpacked, and has a delivery, attempts and an end of its own."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import anyio
import pytest
from consumer.acting import ACTING, ACTS, act, check_books
from consumer.bench import QUICK, SHARED, Bench, attempts, nodes
from consumer.faults import PUBLISH_FAULTS, NotingBroker
from hypothesis import given, settings
from hypothesis import strategies as st

from relayna.consumer import (
    DeadLetterRecorder,
    MemoryBroker,
    Message,
    RelaynaClient,
    Settlement,
    TaskConsumer,
    TaskContext,
    TaskEnvelope,
    TaskRequest,
)
from relayna.consumer.messages.incoming import batched_message_id
from relayna.consumer.messages.published_at import PUBLISHED_AT
from relayna.errors import InvalidQuery, OutcomeUnknown
from relayna.events import TaskMessageReceived, TaskPublished
from relayna.observability import DLQService, DLQStore
from relayna.projections.graph import ExecutionGraph
from relayna.topologies import ContractAliasConfig

pytestmark = pytest.mark.anyio


def requests(count: int, **options: Any) -> list[TaskRequest]:
    return [TaskRequest(task_id=f"order-{number}", payload=number, **options) for number in range(count)]


class Counting:
    """A handler that notes how often each task was begun, and which batch it came in."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()
        self.batches: set[str | None] = set()

    async def __call__(self, task: TaskEnvelope, context: TaskContext) -> None:
        self.begun[task.task_id] += 1
        self.batches.add(context.batch_id)
        await anyio.lowlevel.checkpoint()


def consumer_of(bench: Bench, handler: Any, **options: Any) -> TaskConsumer:
    return TaskConsumer(rabbitmq=bench.client, handler=handler, **{"retry_policy": QUICK, **options})


def annotated(graph: ExecutionGraph) -> list[str | None]:
    """The batch that each attempt names."""
    return [node.annotations.get("batch_id") for node in graph.nodes if node.kind == "task_attempt"]


def relayna_headers(message: Message) -> dict[str, Any]:
    """Those that say what the message is; when it was published is another matter."""
    prefix, told = "x-relayna-", {**message.headers}
    del told[PUBLISHED_AT]
    return {name[len(prefix) :]: value for name, value in told.items() if name.startswith(prefix)}


async def publish(bench: Bench, body: bytes, **properties: Any) -> None:
    await bench.broker.publish(Message(body=body, **properties), exchange="", routing_key="work")


async def reject_one(bench: Bench) -> None:
    """As another program would."""
    async with bench.broker.consume("work", prefetch=1) as subscription:
        await bench.broker.settle(await anext(aiter(subscription)), Settlement.REJECT)


async def test_each_task_goes_its_own_way() -> None:
    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        assert context.batch_id == "night"
        if task.payload == 13 and context.retry_attempt == 0:
            raise KeyError("total")
        if task.payload == 66:
            raise ValueError("no such order")

    async with Bench() as bench:
        consumer = consumer_of(bench, handle)
        await bench.work_off(
            consumer,
            publish=lambda: bench.client.publish_batch(requests(100), batch_id="night"),
            retries=2,
        )
        for number in range(100):
            graph = await bench.graph(f"order-{number}")
            expected = {
                13: [("retried", "failed"), ("acked", "succeeded")],
                66: [("retried", "failed"), ("retried", "failed"), ("dead_lettered", "dead_lettered")],
            }.get(number, [("acked", "succeeded")])
            assert attempts(graph) == expected
            assert annotated(graph) == ["night"] * len(expected)
            assert graph.summary.graph_completeness == "full"
            assert graph.annotations.get("warnings", []) == []
        assert bench.broker.depth("work.dead_letters") == 1
        assert not bench.counters


async def test_what_a_batch_and_its_tasks_say() -> None:
    async with Bench() as bench:
        same = {"headers": {"traceparent": "00-a", "tenant": "t"}, "priority": 3, "correlation_id": "c"}
        [first, second] = await bench.client.publish_batch(requests(2, **same), batch_id="night")
        [message] = await bench.messages("work")
        batch_message_id = message.message_id or ""
        assert [first, second] == [batched_message_id(batch_message_id, number) for number in (0, 1)]
        assert relayna_headers(message) == {
            "message-id": batch_message_id,
            "batch-id": "night",
            "cause": f"{first}.published",
        }
        assert (message.priority, message.correlation_id) == (3, "c")
        [published] = [event.body for event in await bench.events("order-1")]
        assert published == TaskPublished(
            message_id=second, exchange="tasks", routing_key="task", batch_id="night"
        )

        seen: list[Message] = []

        class Peeking(Counting):
            async def __call__(self, task: TaskEnvelope, context: TaskContext) -> None:
                await super().__call__(task, context)
                seen.append(context._incoming.delivery.message)

        await bench.broker.publish(message, exchange="", routing_key="work")
        async with bench.working(consumer_of(bench, Peeking())):
            await bench.settled()
        assert [one.headers["x-relayna-task-id"] for one in seen] == ["order-0", "order-1"]
        assert relayna_headers(seen[1]) == {
            "message-id": second,
            "batch-id": "night",
            "cause": f"{second}.published",
            "task-id": "order-1",
            "session-id": "order-1",
        }
        assert {name: seen[1].headers[name] for name in ("traceparent", "tenant")} == same["headers"]
        assert (seen[1].message_id, seen[1].priority, seen[1].correlation_id) == (second, 3, "c")
        [received] = [e for e in await bench.events("order-1") if isinstance(e.body, TaskMessageReceived)]
        assert isinstance(received.body, TaskMessageReceived)
        assert (received.body.batch_id, received.envelope.cause) == ("night", f"{second}.published")


async def test_a_task_of_a_batch_that_nobody_took_is_queued() -> None:
    async with Bench() as bench:
        await bench.client.publish_batch(requests(3))
        graph = await bench.graph("order-2")
        [task] = [node for node in graph.nodes if node.kind == "task"]
        assert task.annotations["state"] == "queued"
        assert bench.broker.depth("work") == 1


async def test_a_batch_without_a_name_has_its_messages_id() -> None:
    handler = Counting()
    async with Bench() as bench:
        await bench.work_off(
            consumer_of(bench, handler), publish=lambda: bench.client.publish_batch(requests(1))
        )
        [published, *_] = [event.body for event in await bench.events("order-0")]
        assert isinstance(published, TaskPublished)
        [batch_id] = handler.batches
        assert batch_id is not None
        assert published.message_id == batched_message_id(batch_id, 0)


async def test_what_cannot_share_a_message_is_not_sent() -> None:
    async with Bench() as bench:
        with pytest.raises(InvalidQuery, match="there are none"):
            await bench.client.publish_batch([])
        with pytest.raises(InvalidQuery, match="twice"):
            await bench.client.publish_batch(requests(2) + requests(1))
        with pytest.raises(TypeError):
            await bench.client.publish_batch([TaskRequest(task_id="odd", payload=object())])
        assert bench.broker.depth("work") == 0
        assert await bench.told("order-0") == []


@pytest.mark.parametrize("prefetch", [1, 3, 50])
@pytest.mark.parametrize("losses", [1, 3])
async def test_a_crash_between_unpacking_and_settling_handles_each_task_once(
    prefetch: int, losses: int
) -> None:
    handler = Counting()
    async with Bench() as bench:
        bench.broker.lose_acks("work", losses)
        consumer = consumer_of(bench, handler, prefetch=prefetch)
        await bench.work_off(consumer, publish=lambda: bench.client.publish_batch(requests(20)))
        assert handler.begun == {f"order-{number}": 1 for number in range(20)}
        for number in range(20):
            graph = await bench.graph(f"order-{number}")
            assert attempts(graph) == [("acked", "succeeded")]
            assert graph.summary.graph_completeness == "full"


async def test_repeats_of_a_batchs_tasks_are_told_as_lost_acks() -> None:
    async with Bench() as bench:
        bench.broker.lose_acks("work")
        consumer = consumer_of(bench, Counting(), prefetch=1)
        await bench.work_off(consumer, publish=lambda: bench.client.publish_batch(requests(2)))
        [attempt] = [node for node in (await bench.graph("order-1")).nodes if node.kind == "task_attempt"]
        assert attempt.annotations["anomalies"] == ["lost_ack"]
        assert (await bench.told("order-1"))[-1] == "DeliveryRepeated"


@pytest.mark.parametrize("fault", PUBLISH_FAULTS)
@pytest.mark.parametrize("failing", [1, 5])
async def test_a_publish_that_fails_while_unpacking_gives_the_batch_back(fault: str, failing: int) -> None:
    handler = Counting()
    async with Bench(broker=lambda clock: NotingBroker(clock=clock)) as bench:
        assert isinstance(bench.broker, NotingBroker)
        bench.broker.faults[failing] = PUBLISH_FAULTS[fault]  # 0 is the batch's own
        await bench.work_off(
            consumer_of(bench, handler, prefetch=1, lifecycle_statuses=False),
            publish=lambda: bench.client.publish_batch(requests(8), batch_id="night"),
        )
        assert handler.begun == {f"order-{number}": 1 for number in range(8)}
        assert bench.counters["relayna_batches_released_total"] == 1
        assert bench.workers_clock.pauses.count(1.0) == 1
        if fault != "unknown":  # told at once: nothing more was tried before the batch went back
            assert bench.broker.publishes == 1 + failing + 8
        for number in range(8):
            assert attempts(await bench.graph(f"order-{number}")) == [("acked", "succeeded")]


class _Stopping(MemoryBroker):
    """Loses every channel, or hangs, when so many messages have gone straight to the queue of work."""

    def __init__(self, *, lose_at: int | None = None, hang_at: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.straight = 0
        self.hung = anyio.Event()
        self._lose_at = lose_at
        self._hang_at = hang_at

    async def publish(self, message: Message, **options: Any) -> None:
        if options["exchange"] == "" and options["routing_key"] == "work":
            self.straight += 1
            if self.straight == self._lose_at:
                self.disconnect()
                self.reconnect()
            if self.straight == self._hang_at:
                self.hung.set()
                await anyio.sleep_forever()
        await super().publish(message, **options)


@pytest.mark.parametrize("lose_at", [1, 7, 64, 65, 100])
async def test_a_batch_that_lost_its_channel_is_unpacked_no_further(lose_at: int) -> None:
    handler = Counting()
    async with Bench(broker=lambda clock: _Stopping(clock=clock, lose_at=lose_at)) as bench:
        await bench.work_off(
            consumer_of(bench, handler, prefetch=5),
            publish=lambda: bench.client.publish_batch(requests(100)),
        )
        assert isinstance(bench.broker, _Stopping)
        assert bench.broker.straight == lose_at + 100
        assert handler.begun == {f"order-{number}": 1 for number in range(100)}


async def test_at_the_drain_deadline_a_batch_goes_back() -> None:
    async with Bench(broker=lambda clock: _Stopping(clock=clock, hang_at=2)) as bench:
        consumer = consumer_of(bench, Counting(), prefetch=1, drain_seconds=0)
        assert isinstance(bench.broker, _Stopping)
        async with bench.working(consumer):
            await bench.client.publish_batch(requests(3), batch_id="night")
            await bench.broker.hung.wait()
        left = await bench.messages("work")
        assert [message.headers.get("x-relayna-batch-id") for message in left] == ["night"] * len(left)
        assert any(b'"tasks"' in message.body for message in left)


async def test_an_unknown_outcome_is_answered_by_publishing_the_batch_again() -> None:
    handler = Counting()
    async with Bench() as bench:
        bench.broker.lose_confirms()
        with pytest.raises(OutcomeUnknown) as caught:
            await bench.client.publish_batch(requests(4))
        again = caught.value.message_id
        assert again is not None
        message_ids = await bench.client.publish_batch(requests(4), message_id=again)
        assert message_ids == [batched_message_id(again, number) for number in range(4)]  # type: ignore[arg-type]
        assert bench.broker.depth("work") == 2
        async with bench.working(consumer_of(bench, handler)):
            await bench.settled()
        assert handler.begun == {f"order-{number}": 1 for number in range(4)}
        assert len(handler.batches) == 1


async def test_copies_stay_in_their_batch_and_children_do_not() -> None:
    seen: list[tuple[str, str | None]] = []

    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        seen.append((task.task_type or "-", context.batch_id))
        if task.task_type is None and context.retry_attempt == 0:
            raise KeyError("total")
        if task.task_type is None:
            await context.manual_retry(task_type="again")
        if task.task_type == "again":
            await context.spawn(task_type="child")

    async with Bench() as bench:
        await bench.work_off(
            consumer_of(bench, handle),
            publish=lambda: bench.client.publish_batch(requests(1), batch_id="night"),
            retries=1,
        )
    assert seen == [("-", "night"), ("-", "night"), ("again", "night"), ("child", None)]


FOREIGN = b'{"batch_id":"b-1","correlation_id":"c","meta":{"shop":1,"a":2},"tasks":[{"task_id":"x","meta":{"a":3}},{"task_id":"y"}]}'


@pytest.mark.parametrize("properties", [{}, {"message_id": "theirs"}])
async def test_a_batch_of_somebody_who_knows_no_headers(properties: dict[str, Any]) -> None:
    metas: dict[str, Any] = {}
    threads: set[str | None] = set()
    begun: Counter[str] = Counter()

    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        begun[task.task_id] += 1
        metas[task.task_id] = task.meta
        threads.add(context.correlation_id)

    async with Bench() as bench:
        bench.broker.lose_acks("work")
        await bench.work_off(
            consumer_of(bench, handle, prefetch=1), publish=lambda: publish(bench, FOREIGN, **properties)
        )
        assert metas == {"x": {"shop": 1, "a": 3}, "y": {"shop": 1, "a": 2}}
        assert threads == {"c"}
        assert begun == {"x": 1, "y": 1}
        graph = await bench.graph("x")
        assert attempts(graph) == [("acked", "succeeded")]
        assert annotated(graph) == ["b-1"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"batch_id":"b","tasks":7}',
        b'{"batch_id":"b","tasks":[]}',
        b'{"batch_id":"b","tasks":[{"task_id":"x"},{"payload":1}]}',
        b'{"batch_id":"b"}',
        b'{"tasks":[{"task_id":"x"}]}',
    ],
)
async def test_a_batch_that_cannot_be_read_is_a_malformed_message(body: bytes) -> None:
    handler = Counting()
    async with Bench() as bench:
        await bench.work_off(
            consumer_of(bench, handler), publish=lambda: publish(bench, body, message_id="m-1")
        )
        assert not handler.begun
        [letter] = await bench.messages("work.dead_letters")
        assert letter.body == body
        graph = await bench.graph("unreadable:m-1")
        assert nodes(graph, "dlq_record") == ["malformed_message"]


async def test_a_batch_that_the_broker_gave_up_is_recorded_as_one_letter() -> None:
    async with Bench() as bench:
        await bench.client.publish_batch(requests(3), batch_id="night")
        await reject_one(bench)
        async with bench.working(DeadLetterRecorder(rabbitmq=bench.client)):
            await bench.broker.wait_until_empty("work.dead_letters.record")
        assert await bench.told("batch:night") == ["DeadLetterRecorded"]
        assert nodes(await bench.graph("batch:night"), "dlq_record") == ["rejected"]


@pytest.mark.parametrize("handled_before", [False, True])
async def test_a_batch_that_was_given_up_can_be_replayed(handled_before: bool) -> None:
    handler = Counting()
    async with Bench() as bench:
        await bench.client.publish_batch(requests(3), batch_id="night")
        [message] = await bench.messages("work")
        if handled_before:
            await bench.broker.publish(message, exchange="", routing_key="work")
            async with bench.working(consumer_of(bench, handler)):
                await bench.settled()
        await bench.broker.publish(message, exchange="", routing_key="work")
        await reject_one(bench)
        async with bench.working(DeadLetterRecorder(rabbitmq=bench.client)):
            await bench.broker.wait_until_empty("work.dead_letters.record")
        service = DLQService(store=DLQStore(bench.log, clock=bench.workers_clock), broker=bench.broker)
        [letter] = await service.list_dead_letters("batch:night")
        await service.replay("batch:night", letter["dead_letter_id"])
        async with bench.working(consumer_of(bench, handler)):
            await bench.settled()
        assert handler.begun == {f"order-{number}": 1 for number in range(3)}
        assert attempts(await bench.graph("order-2")) == [("acked", "succeeded")]


async def test_batches_under_other_names() -> None:
    aliases = ContractAliasConfig(
        field_aliases={"task_id": "job_id", "tasks": "jobs", "batch_id": "bundle", "payload": "data"}
    )
    handler = Counting()
    async with Bench() as bench:
        client = RelaynaClient(
            topology=SHARED,
            broker=bench.broker,
            observation_sink=bench.recorder,
            clock=bench.workers_clock,
            mint=bench.mint,
            aliases=aliases,
        )
        async with client:
            await client.publish_batch(requests(2), batch_id="night")
            [message] = await bench.messages("work")
            body = json.loads(message.body)
            assert (body["bundle"], [job["job_id"] for job in body["jobs"]]) == (
                "night",
                ["order-0", "order-1"],
            )
            assert body["jobs"][1]["data"] == 1
            await bench.broker.publish(message, exchange="", routing_key="work")
            await publish(bench, FOREIGN)
            async with bench.working(TaskConsumer(rabbitmq=client, handler=handler)):
                await bench.settled()
        assert handler.begun == {"order-0": 1, "order-1": 1, "x": 1, "y": 1}
        assert handler.batches == {"night", "b-1"}


async def test_a_task_beside_batches_is_no_batch() -> None:
    handler = Counting()
    async with Bench() as bench:
        body = b'{"task_id":"order","tasks":[{"task_id":"x"}],"batch_id":"b"}'
        await bench.work_off(consumer_of(bench, handler), publish=lambda: publish(bench, body))
        assert handler.begun == {"order": 1}
        assert handler.batches == {None}


@settings(max_examples=30)
@given(
    st.lists(st.sampled_from(ACTS), min_size=1, max_size=12),
    st.lists(st.tuples(st.sampled_from(("ack", "confirm", "connection")), st.integers(0, 25)), max_size=8),
    st.integers(1, 6),
)
async def test_whatever_breaks_meanwhile_each_task_of_a_batch_reaches_its_one_end(
    kinds: list[str], faults: list[tuple[str, int]], prefetch: int
) -> None:
    task_ids = [f"{kind}-{number}" for number, kind in enumerate(kinds)]
    async with Bench() as bench:
        await bench.client.publish_batch(TaskRequest(task_id=task_id) for task_id in task_ids)
        consumer = TaskConsumer(rabbitmq=bench.client, handler=act, retry_policy=ACTING, prefetch=prefetch)
        async with bench.working(consumer):
            for fault, turns in faults:
                for _ in range(turns):
                    await anyio.lowlevel.checkpoint()
                match fault:
                    case "ack":
                        bench.broker.lose_acks("work")
                    case "confirm":
                        bench.broker.lose_confirms()
                    case "connection":
                        bench.broker.disconnect()
                        bench.broker.reconnect()
            await bench.settled()
            for _ in range(3):
                bench.clock.advance(2)
                await bench.settled()
        await check_books(bench, task_ids)
