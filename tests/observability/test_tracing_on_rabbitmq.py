"""Spans of workers on a real RabbitMQ: contexts survive the broker, its retry queues and the handler's thread."""

from __future__ import annotations

import anyio.from_thread
import pytest
from consumer.rabbitmq.rabbitmq_bench import RabbitMQBench
from observability.traced_bench import Traces, traceparent_of
from opentelemetry.trace import SpanKind
from rabbitmq_server import RabbitMQ

from relayna.consumer import RelaynaClient, RetryPolicy, TaskConsumer, TaskContext, TaskEnvelope
from relayna.observability import OpenTelemetrySpans

pytestmark = [pytest.mark.anyio, pytest.mark.rabbitmq]

QUICK = RetryPolicy(max_retries=1, delay_ms=40, jitter=0)


async def test_a_retried_task_and_its_child(rabbitmq: RabbitMQ) -> None:
    traces = Traces()
    carried: list[tuple[str, int, object]] = []

    def handle(task: TaskEnvelope, context: TaskContext) -> None:
        carried.append((task.task_id, context.retry_attempt, context.headers["traceparent"]))
        with traces.tracer.start_as_current_span("resize"):
            if task.task_id == "order" and context.retry_attempt == 0:
                raise TimeoutError("no answer")
            if task.task_id == "order":
                anyio.from_thread.run(context.spawn)

    bench = RabbitMQBench(rabbitmq)
    bench.client = RelaynaClient(
        topology=bench.topology,
        broker=bench.broker,
        observation_sink=bench.recorder,
        spans=OpenTelemetrySpans(traces.provider),
    )
    consumer = TaskConsumer(rabbitmq=bench.client, handler=handle, retry_policy=QUICK)
    async with bench, bench.working(consumer):
        await bench.client.publish_task("order", {"total": 7})
        await bench.until(("order", "completed"))
        graph = await bench.graph("order")
        [child] = graph.related_task_ids
        await bench.until((child, "completed"))
    queue = bench.topology.tasks_queue  # type: ignore[attr-defined]
    published = traces.spans[0]
    first, second, of_the_child = traces.named(f"process {queue}")
    creation = traceparent_of(published)
    assert carried == [("order", 0, creation), ("order", 1, creation), (child, 0, creation)]
    for processed in (first, second, of_the_child):
        assert (processed.kind, processed.parent) == (SpanKind.CONSUMER, None)
        [link] = processed.links
        assert f"{link.context.trace_id:032x}-{link.context.span_id:016x}" in creation
        assert "resize" in traces.children_of(processed)
    spawned = f"send {bench.topology.tasks_exchange}:task"  # type: ignore[attr-defined]
    assert f"send {queue}.retry.40ms" in traces.children_of(first)
    assert spawned in traces.children_of(second)
    assert first.attributes is not None
    assert second.attributes is not None
    assert (
        first.attributes["messaging.destination.name"] == f"{queue.removesuffix('.work')}.tasks:task:{queue}"
    )
    assert (
        second.attributes["messaging.destination.name"] == queue
    )  # from its retry queue, straight into its own
    assert [one.attributes["relayna.outcome"] for one in (first, second)] == ["retried", "acked"]
