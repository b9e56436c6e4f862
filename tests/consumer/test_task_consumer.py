"""Tasks, event by event: what is recorded, what is published, with which headers, and what the graph shows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import anyio
import pytest
from consumer.bench import QUICK, Bench, attempts, edges, nodes

from relayna.consumer import Message, RetryPolicy, TaskConsumer, TaskContext, TaskEnvelope
from relayna.consumer.messages.envelopes import StatusEnvelope, read_body
from relayna.consumer.messages.published_at import PUBLISHED_AT
from relayna.errors import Unroutable
from relayna.events import DeadLetterRecorded, RecordedEvent
from relayna.events.cut import BODY_LIMIT_BYTES
from relayna.topologies import RoutedTasksSharedStatusTopology

pytestmark = pytest.mark.anyio

MESSAGE: Final = f"{2:032x}"
FIRST: Final = f"{3:016x}"
"""The bench counts: 1 is the producer's name, 2 the task's message, 3 and 4 the attempts."""
SECOND: Final = f"{4:016x}"


def consumer_of(bench: Bench, handler: Any, **options: Any) -> TaskConsumer:
    return TaskConsumer(rabbitmq=bench.client, handler=handler, **{"retry_policy": QUICK, **options})


async def succeed(task: TaskEnvelope, context: TaskContext) -> None:
    pass


async def fail(task: TaskEnvelope, context: TaskContext) -> None:
    raise KeyError("total")


def check_chain(events: Sequence[RecordedEvent], attempt_id: str, *, cause: str) -> None:
    """The attempt's events are numbered without a hole, and each names the one before it as its cause."""
    envelopes = [event.envelope for event in events if event.envelope.attempt_id == attempt_id]
    numbered = [envelope for envelope in envelopes if envelope.seq is not None]
    assert [envelope.event_id for envelope in numbered] == [f"{attempt_id}.{n}" for n in range(len(numbered))]
    assert [envelope.seq for envelope in numbered] == list(range(len(numbered)))
    assert numbered[0].cause == cause
    assert all(later.cause == earlier.event_id for earlier, later in pairwise(numbered))


def relayna_headers(message: Message) -> dict[str, Any]:
    """Those that say what the message is; when it was published is another matter."""
    prefix, told = "x-relayna-", {**message.headers}
    del told[PUBLISHED_AT]
    return {name.removeprefix(prefix): value for name, value in told.items() if name.startswith(prefix)}


async def said_statuses(bench: Bench) -> list[tuple[str, str]]:
    """The statuses on the status queue, each with the event that it names as its cause."""
    messages = await bench.messages("statuses.all")
    return [
        (read_body(message.body, StatusEnvelope).status, message.headers["x-relayna-cause"])
        for message in messages
    ]


async def test_success() -> None:
    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        assert (task.payload, context.task_id, context.retry_attempt) == ({"total": 7}, "order", 0)
        assert (context.attempt_id, context.correlation_id) == (FIRST, "c")
        assert context.headers == {"traceparent": "00-a"}
        await context.publish_status("half", message="way", meta={"percent": 50})

    async with Bench() as bench:
        await bench.work_off(
            consumer_of(bench, handle),
            publish=lambda: bench.client.publish_task(
                "order", {"total": 7}, correlation_id="c", headers={"traceparent": "00-a"}
            ),
        )
        assert await bench.told("order") == [
            "TaskPublished",
            "TaskMessageReceived",
            "TaskLifecycleStatusPublished processing",
            "StatusPublished half",
            "TaskLifecycleStatusPublished completed",
            "TaskMessageAcked",
        ]
        check_chain(await bench.events("order"), FIRST, cause=f"{MESSAGE}.published")
        statuses = await bench.messages("statuses.all")
        assert [message.headers["x-relayna-cause"] for message in statuses] == [
            f"{FIRST}.1",
            f"{FIRST}.2",
            f"{FIRST}.3",
        ]
        assert all(message.headers["traceparent"] == "00-a" for message in statuses)
        half = read_body(statuses[1].body, StatusEnvelope)
        assert (half.status, half.message, half.meta, half.correlation_id) == (
            "half",
            "way",
            {"percent": 50},
            "c",
        )
        graph = await bench.graph("order")
        assert graph.summary.graph_completeness == "full"
        assert graph.summary.status == "completed"
        assert attempts(graph) == [("acked", "succeeded")]
        assert nodes(graph, "status_event") == ["processing", "half", "completed"]


async def test_a_retry_that_succeeds() -> None:
    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        if context.retry_attempt == 0:
            raise KeyError("total")

    async with Bench() as bench:
        async with bench.working(consumer_of(bench, handle)):
            await bench.client.publish_task(
                "order", headers={"traceparent": "00-a", "tenant": "t"}, priority=3
            )
            await bench.settled()
            [copy] = await bench.messages("work.retry.1000ms")
            await bench.broker.publish(copy, exchange="", routing_key="work.retry.1000ms")
            bench.clock.advance(1)
            await bench.settled()
        assert await bench.told("order") == [
            "TaskPublished",
            "TaskMessageReceived",
            "TaskLifecycleStatusPublished processing",
            "TaskHandlerFailed",
            "TaskLifecycleStatusPublished retrying",
            "ConsumerRetryScheduled",
            "TaskMessageReceived",
            "TaskLifecycleStatusPublished processing",
            "TaskLifecycleStatusPublished completed",
            "TaskMessageAcked",
        ]
        events = await bench.events("order")
        check_chain(events, FIRST, cause=f"{MESSAGE}.published")
        check_chain(events, SECOND, cause=f"{FIRST}.4")
        assert copy.headers["tenant"] == "t"
        assert copy.headers["traceparent"] == "00-a"
        assert (copy.message_id, copy.priority) == (MESSAGE, 3)
        assert relayna_headers(copy) == {
            "cause": f"{FIRST}.4",
            "task-id": "order",
            "session-id": "order",
            "message-id": MESSAGE,
            "retry-attempt": 1,
        }
        graph = await bench.graph("order")
        assert attempts(graph) == [("retried", "failed"), ("acked", "succeeded")]
        assert ("task-attempt:order:1", "retried_as", "retry:order:1") in edges(graph)
        assert ("retry:order:1", "received_by", "task-attempt:order:2") in edges(graph)
        assert graph.summary.graph_completeness == "full"


async def test_retries_that_run_out_end_in_a_dead_letter() -> None:
    async with Bench() as bench:
        await bench.work_off(
            consumer_of(bench, fail, retry_policy=RetryPolicy(max_retries=1, delay_ms=10)),
            publish=lambda: bench.client.publish_task("order", {"total": 7}, headers={"tenant": "t"}),
            retries=1,
        )
        assert (await bench.told("order"))[6:] == [
            "TaskMessageReceived",
            "TaskLifecycleStatusPublished processing",
            "TaskHandlerFailed",
            "TaskLifecycleStatusPublished failed",
            "DeadLetterRecorded",
            "ConsumerDeadLetterPublished",
        ]
        events = await bench.events("order")
        check_chain(events, SECOND, cause=f"{FIRST}.4")
        [letter] = await bench.messages("work.dead_letters")
        assert letter.body == b'{"task_id":"order","payload":{"total":7},"session_id":"order"}'
        assert letter.headers["tenant"] == "t"
        assert "x-death" not in letter.headers
        assert relayna_headers(letter) == {
            "cause": f"{SECOND}.4",
            "task-id": "order",
            "session-id": "order",
            "message-id": MESSAGE,
            "retry-attempt": 1,
        }
        graph = await bench.graph("order")
        assert nodes(graph, "dlq_record") == ["retries_exhausted"]
        assert attempts(graph) == [("retried", "failed"), ("dead_lettered", "dead_lettered")]
        assert (graph.summary.status, graph.summary.graph_completeness) == ("failed", "full")


async def test_what_is_kept_of_a_dead_letter() -> None:
    payload = "x" * (BODY_LIMIT_BYTES * 2)
    async with Bench() as bench:
        await bench.work_off(
            consumer_of(bench, fail, retry_policy=RetryPolicy(max_retries=0)),
            publish=lambda: bench.client.publish_task("order", payload),
        )
        [letter] = await bench.messages("work.dead_letters")
        [kept] = [e.body for e in await bench.events("order") if isinstance(e.body, DeadLetterRecorded)]
        assert (kept.queue_name, kept.source_queue_name) == ("work.dead_letters", "work")
        assert (kept.reason, kept.exception_type, kept.exception_message) == (
            "retries_exhausted",
            "KeyError",
            "'total'",
        )
        assert kept.message_id == MESSAGE
        assert kept.headers is not None
        assert kept.headers["x-relayna-task-id"] == "order"
        assert kept.body is not None
        assert letter.body.startswith(kept.body)
        assert len(kept.body) < BODY_LIMIT_BYTES < len(payload)
        assert kept.body_size == len(letter.body)
        assert kept.body_sha256 == hashlib.sha256(letter.body).hexdigest()


@pytest.mark.parametrize("wrapped", [False, True], ids=["bare", "in a group"])
async def test_an_error_that_no_retry_can_mend(wrapped: bool) -> None:
    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        raise ExceptionGroup("unhandled", [ValueError("no")]) if wrapped else ValueError("no")

    async with Bench() as bench:
        await bench.work_off(
            consumer_of(bench, handle, retry_policy=RetryPolicy(non_retryable=(ValueError,))),
            publish=lambda: bench.client.publish_task("order"),
        )
        graph = await bench.graph("order")
        assert attempts(graph) == [("dead_lettered", "dead_lettered")]
        assert nodes(graph, "dlq_record") == ["not_retryable"]
        [attempt] = [node for node in graph.nodes if node.kind == "task_attempt"]
        assert attempt.annotations["exception_type"] == "ValueError"
        assert attempt.annotations["exception_message"] == "no"


async def test_a_body_that_cannot_be_read() -> None:
    async with Bench() as bench:
        broken = Message(body=b"{", message_id="m-1", headers={"tenant": "t"})
        await bench.work_off(
            consumer_of(bench, succeed),
            publish=lambda: bench.broker.publish(broken, exchange="", routing_key="work"),
        )
        assert await bench.told("unreadable:m-1") == [
            "TaskMessageReceived",
            "TaskLifecycleStatusPublished failed",
            "DeadLetterRecorded",
            "ConsumerDeadLetterPublished",
        ]
        [letter] = await bench.messages("work.dead_letters")
        assert (letter.body, letter.headers["tenant"]) == (b"{", "t")
        graph = await bench.graph("unreadable:m-1")
        assert nodes(graph, "dlq_record") == ["malformed_message"]


async def test_a_body_of_ours_that_got_broken_is_told_to_its_task() -> None:
    async with Bench() as bench:
        async with bench.working(consumer_of(bench, succeed)):
            broken = Message(body=b"{", headers={"x-relayna-task-id": "order", "x-relayna-message-id": "m-1"})
            await bench.broker.publish(broken, exchange="", routing_key="work")
            await bench.settled()
        assert (await bench.told("order"))[-1] == "ConsumerDeadLetterPublished"


def routed(task_type: str) -> RoutedTasksSharedStatusTopology:
    return RoutedTasksSharedStatusTopology(
        rabbitmq_url="amqp://broker.example",
        tasks_exchange="tasks",
        tasks_queue=f"work.{task_type}",
        task_types=(task_type,),
        status_exchange="statuses",
        status_queue="statuses.all",
    )


async def test_a_manual_retry_as_another_type() -> None:
    seen: list[tuple[TaskEnvelope, int]] = []

    async def small(task: TaskEnvelope, context: TaskContext) -> None:
        payload = {"size": "large"}
        await context.manual_retry(task_type="large", payload=payload, reason="too big")
        payload["size"] = "changed after it was asked for"

    async def large(task: TaskEnvelope, context: TaskContext) -> None:
        seen.append((task, context.retry_attempt))

    async with Bench(routed("small")) as bench, bench.client_of(routed("large")) as other:
        consumers = (
            consumer_of(bench, small),
            TaskConsumer(rabbitmq=other, handler=large, retry_policy=QUICK),
        )
        await bench.work_off(
            *consumers,
            publish=lambda: bench.client.publish_task(
                "photo", {"size": "?"}, task_type="small", correlation_id="c", headers={"traceparent": "00-a"}
            ),
        )
        [(task, retry_attempt)] = seen
        assert (task.task_type, task.payload, task.correlation_id) == ("large", {"size": "large"}, "c")
        assert retry_attempt == 0
        assert (await bench.told("photo"))[1:7] == [
            "TaskMessageReceived",
            "TaskLifecycleStatusPublished processing",
            "TaskLifecycleStatusPublished manual_retrying",
            "TaskMessageAcked",
            "TaskMessageReceived",
            "TaskLifecycleStatusPublished processing",
        ]
        first, second = [
            e for e in await bench.events("photo") if type(e.body).__name__ == "TaskMessageReceived"
        ]
        assert second.envelope.cause == f"{first.envelope.attempt_id}.3"
        assert first.body.message_id != second.body.message_id  # type: ignore[union-attr]
        graph = await bench.graph("photo")
        assert attempts(graph) == [("manual_retry", "succeeded"), ("acked", "succeeded")]
        assert ("task-attempt:photo:1", "manual_retry_to", "task-attempt:photo:2") in edges(graph)
        assert graph.summary.graph_completeness == "full"
        said = [read_body(message.body, StatusEnvelope) for message in await bench.messages("statuses.all")]
        assert [(one.status, one.message) for one in said] == [
            ("processing", None),
            ("manual_retrying", "too big"),
            ("processing", None),
            ("completed", None),
        ]


async def test_a_manual_retry_keeps_what_it_does_not_change() -> None:
    seen: list[Any] = []

    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        seen.append((task.payload, task.task_type, dict(context.headers)))
        if len(seen) == 1:
            await context.manual_retry()

    async with Bench() as bench:
        await bench.work_off(
            consumer_of(bench, handle),
            publish=lambda: bench.client.publish_task("order", [1], task_type="pay", headers={"tenant": "t"}),
        )
    assert seen == [([1], "pay", {"tenant": "t"})] * 2


async def test_a_handler_that_takes_too_long() -> None:
    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        await anyio.sleep_forever()

    async with Bench() as bench:
        await bench.work_off(
            consumer_of(bench, handle, handler_timeout=0.001, retry_policy=RetryPolicy(max_retries=0)),
            publish=lambda: bench.client.publish_task("order"),
        )
        [attempt] = [node for node in (await bench.graph("order")).nodes if node.kind == "task_attempt"]
        assert attempt.annotations["exception_type"] == "HandlerTimeout"
        assert attempt.annotations["exception_message"] == "the handler took over 0.001 s"


async def test_a_handler_that_answers_the_timeout_with_an_error_of_its_own() -> None:
    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            raise RuntimeError("interrupted")

    async with Bench() as bench:
        await bench.work_off(
            consumer_of(bench, handle, handler_timeout=0.001, retry_policy=RetryPolicy(max_retries=0)),
            publish=lambda: bench.client.publish_task("order"),
        )
        [attempt] = [node for node in (await bench.graph("order")).nodes if node.kind == "task_attempt"]
        assert attempt.annotations["exception_type"] == "HandlerTimeout"


async def test_lifecycle_statuses_can_be_left_out() -> None:
    async with Bench() as bench:
        await bench.work_off(
            consumer_of(bench, fail, lifecycle_statuses=False, retry_policy=RetryPolicy(max_retries=0)),
            publish=lambda: bench.client.publish_task("order"),
        )
        assert await bench.told("order") == [
            "TaskPublished",
            "TaskMessageReceived",
            "TaskHandlerFailed",
            "DeadLetterRecorded",
            "ConsumerDeadLetterPublished",
        ]
        assert await bench.messages("statuses.all") == []


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "dead_lettered"])
async def test_an_end_that_the_handler_publishes_itself_is_not_published_again(status: str) -> None:
    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        await context.publish_status(status)

    async with Bench() as bench:
        await bench.work_off(consumer_of(bench, handle), publish=lambda: bench.client.publish_task("order"))
        assert [said for said, _ in await said_statuses(bench)] == ["processing", status]
        assert (await bench.graph("order")).summary.status == status


@pytest.mark.parametrize(
    ("published", "statuses"),
    [
        ("failed", ["processing", "failed"]),
        ("cancelled", ["processing", "cancelled"]),
        ("completed", ["processing", "completed", "failed"]),
    ],
)
async def test_a_dead_letter_ends_in_failure_whatever_the_handler_said(
    published: str, statuses: list[str]
) -> None:
    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        await context.publish_status(published)
        raise ValueError("no")

    async with Bench() as bench:
        await bench.work_off(
            consumer_of(bench, handle, retry_policy=RetryPolicy(max_retries=0)),
            publish=lambda: bench.client.publish_task("order"),
        )
        assert [said for said, _ in await said_statuses(bench)] == statuses


class NoStatusQueue(Bench):
    """A bench on which somebody deleted the status queue."""

    async def lose_statuses(self) -> None:
        del self.broker._host._queues["statuses.all"]
        self.broker._host._exchanges["statuses"]._bindings.clear()


async def test_statuses_that_reach_nobody_do_not_stop_the_work() -> None:
    handled: list[str] = []

    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        handled.append(task.task_id)
        if task.task_id == "by hand" and len(handled) == 1:
            await context.manual_retry()
        if task.task_id == "dead":
            raise ValueError("no")

    async with NoStatusQueue() as bench:
        async with bench.working(consumer_of(bench, handle, retry_policy=RetryPolicy(max_retries=0))):
            await bench.lose_statuses()
            for task_id in ("by hand", "dead"):
                await bench.client.publish_task(task_id)
                await bench.settled()
        assert handled == ["by hand", "by hand", "dead"]
        assert bench.counters["relayna_statuses_unpublished_total"] == 6
        graph = await bench.graph("by hand")
        assert attempts(graph) == [("manual_retry", "succeeded"), ("acked", "succeeded")]
        assert nodes(graph, "status_event") == ["processing", "manual_retrying", "processing", "completed"]
        assert bench.broker.depth("work.dead_letters") == 1


async def test_a_handler_learns_that_its_own_status_reached_nobody() -> None:
    learnt: list[Unroutable] = []

    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        try:
            await context.publish_status("half")
        except Unroutable as error:
            learnt.append(error)

    async with NoStatusQueue() as bench, bench.working(consumer_of(bench, handle)):
        await bench.lose_statuses()
        await bench.client.publish_task("order")
        await bench.settled()
    assert [error.routing_key for error in learnt] == ["order"]


async def test_a_message_of_somebody_who_knows_nothing_of_us() -> None:
    async with Bench() as bench:
        foreign = Message(body=b'{"task_id":"order","payload":1}', headers={"traceparent": "00-a"})
        await bench.work_off(
            consumer_of(bench, fail, retry_policy=RetryPolicy(max_retries=1, delay_ms=10)),
            publish=lambda: bench.broker.publish(foreign, exchange="tasks", routing_key="task"),
            retries=1,
        )
        graph = await bench.graph("order")
        assert attempts(graph) == [("retried", "failed"), ("dead_lettered", "dead_lettered")]
        assert graph.summary.graph_completeness == "full"
        [letter] = await bench.messages("work.dead_letters")
        assert (letter.message_id, letter.headers["traceparent"]) == (None, "00-a")


async def test_ids_that_amqp_cannot_carry_travel_in_headers() -> None:
    task_id = "ü" * 200
    async with Bench() as bench:
        await bench.work_off(
            consumer_of(bench, succeed),
            publish=lambda: bench.client.publish_task(task_id, correlation_id="c" * 300),
        )
        assert (await bench.graph(task_id)).summary.status == "completed"
