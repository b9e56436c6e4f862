"""Spans as OpenTelemetry's own SDK gets them: kinds, names, links, attributes, and `traceparent` in messages."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

import anyio
import pytest
from consumer.bench import QUICK, Bench
from consumer.faults import PUBLISH_FAULTS
from observability.traced_bench import TracedBench, context_of, traceparent_of
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NoOpTracerProvider, SpanKind, StatusCode

from relayna.consumer import (
    Message,
    RetryPolicy,
    TaskConsumer,
    TaskContext,
    TaskEnvelope,
)
from relayna.consumer.attempts.outcome import HandlerResult
from relayna.consumer.attempts.performance import Performance
from relayna.errors import ConfigurationError, Unroutable
from relayna.observability import OpenTelemetrySpans

pytestmark = pytest.mark.anyio

FOREIGN: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NO_RETRY: Final = RetryPolicy(max_retries=0)
MESSAGE: Final = f"{2:032x}"
FIRST: Final = f"{3:016x}"
"""The bench counts: 1 is the producer's name, 2 the task's message, 3 and 4 the attempts."""
SECOND: Final = f"{4:016x}"


def consumer_of(bench: Bench, handler: Any, **options: Any) -> TaskConsumer:
    return TaskConsumer(rabbitmq=bench.client, handler=handler, **{"retry_policy": QUICK, **options})


async def succeed(task: TaskEnvelope, context: TaskContext) -> None:
    pass


async def fail_once(task: TaskEnvelope, context: TaskContext) -> None:
    if context.retry_attempt == 0:
        raise TimeoutError("no answer")


async def fail(task: TaskEnvelope, context: TaskContext) -> None:
    raise LookupError("no such order")


def linked(span: ReadableSpan) -> list[tuple[str, bool]]:
    """What it links to, as `traceparent`s, and whether that came from elsewhere."""
    return [
        (
            f"00-{link.context.trace_id:032x}-{link.context.span_id:016x}-{link.context.trace_flags:02x}",
            link.context.is_remote,
        )
        for link in span.links
    ]


async def test_a_task_with_a_retry_span_by_span() -> None:
    async with TracedBench() as bench:
        await bench.work_off(
            consumer_of(bench, fail_once),
            publish=lambda: bench.client.publish_task("order", {"total": 7}, correlation_id="visit-1"),
            retries=1,
        )
        published, *_ = bench.traces.spans
        [retried] = bench.traces.named("send work.retry.1000ms")
        first, second = bench.traces.named("process work")
        body = b'{"task_id":"order","payload":{"total":7},"correlation_id":"visit-1","session_id":"order"}'
        of_the_message = {
            "messaging.system": "rabbitmq",
            "messaging.message.id": MESSAGE,
            "messaging.message.conversation_id": "visit-1",
            "messaging.message.body.size": len(body),
            "relayna.task_id": "order",
            "relayna.session_id": "order",
        }
        sent = {
            **of_the_message,
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
        }
        processed = {
            **of_the_message,
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
        }

        assert (published.name, published.kind, published.parent) == (
            "send tasks:task", SpanKind.PRODUCER, None,
        )  # fmt: skip
        assert published.attributes == {
            **sent,
            "messaging.destination.name": "tasks:task",
            "messaging.rabbitmq.destination.routing_key": "task",
            "relayna.retry_attempt": 0,
        }
        assert (published.status.status_code, linked(published)) == (StatusCode.UNSET, [])

        assert (first.kind, first.parent, linked(first)) == (
            SpanKind.CONSUMER, None, [(traceparent_of(published), True)],
        )  # fmt: skip
        assert first.attributes == {
            **processed,
            "messaging.destination.name": "tasks:task:work",
            "messaging.rabbitmq.destination.routing_key": "task",
            "messaging.rabbitmq.message.delivery_tag": 1,
            "relayna.attempt_id": FIRST,
            "relayna.retry_attempt": 0,
            "relayna.outcome": "retried",
            "error.type": "TimeoutError",
        }
        assert (first.status.status_code, first.status.description) == (StatusCode.ERROR, "no answer")
        [event] = first.events
        assert event.name == "exception"
        assert event.attributes is not None
        assert event.attributes["exception.type"] == "TimeoutError"
        assert "in fail_once" in str(event.attributes["exception.stacktrace"])

        assert (retried.kind, linked(retried)) == (SpanKind.PRODUCER, [(traceparent_of(published), True)])
        assert retried.attributes == {
            **sent,
            "messaging.destination.name": "work.retry.1000ms",
            "messaging.rabbitmq.destination.routing_key": "work.retry.1000ms",
            "relayna.retry_attempt": 1,
        }

        assert (second.kind, second.parent, linked(second)) == (
            SpanKind.CONSUMER, None, [(traceparent_of(published), True)],
        )  # fmt: skip
        assert second.attributes == {
            **processed,
            "messaging.destination.name": "work",
            "messaging.rabbitmq.destination.routing_key": "work",
            "messaging.rabbitmq.message.delivery_tag": 2,
            "relayna.attempt_id": SECOND,
            "relayna.retry_attempt": 1,
            "relayna.outcome": "acked",
        }
        assert (second.status.status_code, second.events) == (StatusCode.UNSET, ())

        status = "send statuses:{task_id}"
        assert bench.traces.children_of(first) == [status, status, retried.name]
        assert bench.traces.children_of(second) == [status, status]
        assert len(bench.traces.spans) == 8
        assert not bench.counters


async def test_a_statuss_span_is_named_by_its_template() -> None:
    async with TracedBench() as bench:
        await bench.client.publish_status("order", "queued")
        [span] = bench.traces.spans
    assert span.name == "send statuses:{task_id}"
    assert span.attributes is not None
    assert span.attributes["messaging.destination.name"] == "statuses:order"
    assert span.attributes["messaging.destination.template"] == "statuses:{task_id}"


async def test_an_attempt_is_the_root_of_its_trace_wherever_its_consumer_was_started() -> None:
    async with TracedBench() as bench:
        with bench.traces.tracer.start_as_current_span("main"):
            await bench.work_off(
                consumer_of(bench, succeed), publish=lambda: bench.client.publish_task("order")
            )
        [main] = bench.traces.named("main")
        [processed] = bench.traces.named("process work")
        assert processed.parent is None
        assert context_of(processed).trace_id != context_of(main).trace_id
        assert bench.traces.children_of(main) == ["send tasks:task"]


async def test_nothing_is_current_once_the_attempt_is_over() -> None:
    async with TracedBench() as bench:
        await bench.work_off(consumer_of(bench, fail), publish=lambda: bench.client.publish_task("order"))
    assert trace.get_current_span() is trace.INVALID_SPAN


async def test_what_the_handler_does_lies_within_its_attempt() -> None:
    async with TracedBench() as bench:

        async def handle(task: TaskEnvelope, context: TaskContext) -> None:
            with bench.traces.tracer.start_as_current_span("resize"):
                await anyio.lowlevel.checkpoint()
            async with anyio.create_task_group() as group:
                group.start_soon(elsewhere)

        async def elsewhere() -> None:
            with bench.traces.tracer.start_as_current_span("in a task"):
                await anyio.lowlevel.checkpoint()

        await bench.work_off(consumer_of(bench, handle), publish=lambda: bench.client.publish_task("order"))
        [processed] = bench.traces.named("process work")
        status = "send statuses:{task_id}"
        assert bench.traces.children_of(processed) == [status, "resize", "in a task", status]


async def test_a_handler_in_a_thread_lies_within_its_attempt_too() -> None:
    async with TracedBench() as bench:

        def handle(task: TaskEnvelope, context: TaskContext) -> None:
            with bench.traces.tracer.start_as_current_span("resize"):
                pass

        await bench.work_off(consumer_of(bench, handle), publish=lambda: bench.client.publish_task("order"))
        [processed] = bench.traces.named("process work")
        assert "resize" in bench.traces.children_of(processed)


async def test_traceparent_is_written_once_and_travels_on() -> None:
    seen: dict[str, Any] = {}

    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        seen[f"{task.task_type} {context.retry_attempt}"] = context.headers["traceparent"]
        if task.task_type is None:
            await fail_once(task, context)
            await context.spawn(task_id="child", task_type="child")

    async with TracedBench() as bench:
        await bench.work_off(
            consumer_of(bench, handle), publish=lambda: bench.client.publish_task("order"), retries=1
        )
        published = traceparent_of(bench.traces.spans[0])
        carried = {message.headers["traceparent"] for message in await bench.messages("statuses.all")}
        links = [linked(span) for span in bench.traces.spans[1:]]
    assert seen == dict.fromkeys(("None 0", "None 1", "child 0"), published)
    assert carried == {published}
    assert links == [[(published, True)]] * len(links)


@pytest.mark.parametrize(
    "given",
    [
        {"traceparent": FOREIGN},
        {"traceparent": FOREIGN, "tracestate": "vendor=1"},
        {"traceparent": FOREIGN.encode()},
    ],
)
async def test_a_producers_own_context_stays_and_is_linked(given: Mapping[str, Any]) -> None:
    async with TracedBench() as bench:
        await bench.work_off(
            consumer_of(bench, fail, retry_policy=NO_RETRY),
            publish=lambda: bench.client.publish_task("order", headers=given),
        )
        [letter] = await bench.messages("work.dead_letters")
        [processed] = bench.traces.named("process work")
        assert {name: letter.headers[name] for name in given} == given
        assert [linked(span) for span in bench.traces.spans] == [[(FOREIGN, True)]] * len(bench.traces.spans)
        assert dict(processed.links[0].context.trace_state) == ({"vendor": "1"} if len(given) > 1 else {})


@pytest.mark.parametrize("given", ["00-a", "", f"00-{'0' * 32}-b7ad6b7169203331-01", 7, None])
async def test_a_traceparent_that_cannot_be_read_stays_as_it_is_and_links_to_nothing(given: Any) -> None:
    async with TracedBench() as bench:
        await bench.work_off(
            consumer_of(bench, fail, retry_policy=NO_RETRY),
            publish=lambda: bench.client.publish_task("order", headers={"traceparent": given}),
        )
        [letter] = await bench.messages("work.dead_letters")
        assert letter.headers["traceparent"] == given
        assert [linked(span) for span in bench.traces.spans] == [[]] * len(bench.traces.spans)
        assert not bench.counters


async def test_a_foreign_message_without_context_gets_that_of_its_first_copy() -> None:
    async with TracedBench() as bench:
        foreign = Message(body=b'{"task_id":"order"}', headers={"tracestate": "vendor=1"})
        await bench.work_off(
            consumer_of(bench, fail, retry_policy=NO_RETRY),
            publish=lambda: bench.broker.publish(foreign, exchange="tasks", routing_key="task"),
        )
        [letter] = await bench.messages("work.dead_letters")
        [processed] = bench.traces.named("process work")
        [sent] = bench.traces.named("send statuses.dead_letters:work")
        assert linked(processed) == []
        assert letter.headers["traceparent"] == traceparent_of(sent)
        assert "tracestate" not in letter.headers  # it belonged to no trace


async def test_the_wire_format_is_not_a_matter_of_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise AssertionError("the global propagator was asked")

    monkeypatch.setattr("opentelemetry.propagate.inject", refuse)
    monkeypatch.setattr("opentelemetry.propagate.extract", refuse)
    async with TracedBench() as bench:
        await bench.work_off(consumer_of(bench, succeed), publish=lambda: bench.client.publish_task("order"))
        [processed] = bench.traces.named("process work")
        assert linked(processed) == [(traceparent_of(bench.traces.spans[0]), True)]
        assert not bench.counters


@pytest.mark.parametrize(
    "spans", [OpenTelemetrySpans(), OpenTelemetrySpans(NoOpTracerProvider())], ids=["unset", "no-op"]
)
async def test_without_an_sdk_nothing_is_written(spans: OpenTelemetrySpans) -> None:
    async with TracedBench(spans=spans) as bench:
        await bench.work_off(
            consumer_of(bench, fail, retry_policy=NO_RETRY),
            publish=lambda: bench.client.publish_task("order", headers={"tracestate": "vendor=1"}),
        )
        [letter] = await bench.messages("work.dead_letters")
        assert "traceparent" not in letter.headers
        assert letter.headers["tracestate"] == "vendor=1"
        assert not bench.counters


async def test_what_is_not_sampled_says_so_in_the_message() -> None:
    async with TracedBench(spans=OpenTelemetrySpans(TracerProvider(sampler=ALWAYS_OFF))) as bench:
        await bench.work_off(
            consumer_of(bench, fail, retry_policy=NO_RETRY),
            publish=lambda: bench.client.publish_task("order"),
        )
        [letter] = await bench.messages("work.dead_letters")
        flags = letter.headers["traceparent"].rpartition("-")[2]
        assert not int(flags, 16) & trace.TraceFlags.SAMPLED


async def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConfigurationError, match=r"with its extra `otel`"):
        OpenTelemetrySpans()


async def test_a_publish_that_fails() -> None:
    async with TracedBench() as bench:
        bench.noting.faults[0] = Unroutable
        with pytest.raises(Unroutable) as raised:
            await bench.client.publish_task("order")
        [span] = bench.traces.spans
    assert span.attributes is not None
    assert span.attributes["error.type"] == "Unroutable"
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, str(raised.value))


def ends(bench: TracedBench) -> list[tuple[Any, Any, StatusCode]]:
    """Outcome, error and status of each attempt's span."""
    return [
        (
            (span.attributes or {}).get("relayna.outcome"),
            (span.attributes or {}).get("error.type"),
            span.status.status_code,
        )
        for span in bench.traces.spans
        if span.kind is SpanKind.CONSUMER
    ]


class Odd(Exception):
    def __str__(self) -> str:
        raise RuntimeError("even this fails")


async def never_end(task: TaskEnvelope, context: TaskContext) -> None:
    await anyio.sleep_forever()


async def raise_oddly(task: TaskEnvelope, context: TaskContext) -> None:
    raise Odd


async def raise_a_group_of_one(task: TaskEnvelope, context: TaskContext) -> None:
    async with anyio.create_task_group():
        raise LookupError("no such order")


async def ask_again(task: TaskEnvelope, context: TaskContext) -> None:
    if task.payload is None:
        await context.manual_retry(payload=1)


@pytest.mark.parametrize(
    ("handler", "options", "expected"),
    [
        (succeed, {}, [("acked", None, StatusCode.UNSET)]),
        (fail, {}, [("dead_lettered", "LookupError", StatusCode.ERROR)]),
        (raise_a_group_of_one, {}, [("dead_lettered", "LookupError", StatusCode.ERROR)]),
        (raise_oddly, {}, [("dead_lettered", "Odd", StatusCode.ERROR)]),
        (never_end, {"handler_timeout": 0.001}, [("dead_lettered", "HandlerTimeout", StatusCode.ERROR)]),
        (
            ask_again,
            {},
            [("manual_retry", None, StatusCode.UNSET), ("acked", None, StatusCode.UNSET)],
        ),
    ],
)
async def test_how_attempts_end(handler: Any, options: dict[str, Any], expected: list[object]) -> None:
    async with TracedBench() as bench:
        consumer = consumer_of(bench, handler, retry_policy=NO_RETRY, **options)
        await bench.work_off(consumer, publish=lambda: bench.client.publish_task("order"))
        assert ends(bench) == expected


async def test_a_message_that_cannot_be_read_fails_by_that() -> None:
    async with TracedBench() as bench:
        await bench.work_off(
            consumer_of(bench, succeed),
            publish=lambda: bench.broker.publish(Message(body=b"7"), exchange="tasks", routing_key="task"),
        )
        assert ends(bench) == [("dead_lettered", "malformed_message", StatusCode.ERROR)]


async def test_a_repeat_is_an_attempt_of_its_own_and_names_the_one_it_repeats() -> None:
    async with TracedBench() as bench:
        publish = bench.client.publish_task
        await bench.work_off(consumer_of(bench, succeed), publish=lambda: publish("order", message_id="m"))
        await bench.work_off(consumer_of(bench, succeed), publish=lambda: publish("order", message_id="m"))
        handled, repeated = bench.traces.named("process work")
        assert ends(bench) == [("acked", None, StatusCode.UNSET), ("duplicate", None, StatusCode.UNSET)]
        assert handled.attributes is not None
        assert repeated.attributes is not None
        assert repeated.attributes["relayna.attempt_id"] == handled.attributes["relayna.attempt_id"]


async def test_an_attempt_that_cannot_be_ended_goes_back_and_says_why() -> None:
    async with TracedBench() as bench:
        async with bench.working(consumer_of(bench, succeed)):
            bench.noting.faults[2] = PUBLISH_FAULTS[
                "disconnected"
            ]  # `completed`, after the task and `processing`
            await bench.client.publish_task("order")
            await bench.settled()
        assert ends(bench)[0] == ("released", "Disconnected", StatusCode.ERROR)
        assert ends(bench)[1:] == [("acked", None, StatusCode.UNSET)]


async def test_an_interrupted_attempt_is_released_and_no_failure() -> None:
    started = anyio.Event()

    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        started.set()
        await anyio.sleep_forever()

    async with TracedBench() as bench:
        async with bench.working(consumer_of(bench, handle, drain_seconds=0)):
            await bench.client.publish_task("order")
            await started.wait()
        assert ends(bench) == [("released", None, StatusCode.UNSET)]


async def test_a_mistake_of_relaynas_own_fails_the_span_too(monkeypatch: pytest.MonkeyPatch) -> None:
    perform = Performance.perform

    async def perform_wrongly_at_first(self: Performance, result: HandlerResult) -> None:
        if not self.ending.incoming.repeated:
            raise ArithmeticError("ours")
        await perform(self, result)

    monkeypatch.setattr(Performance, "perform", perform_wrongly_at_first)
    async with TracedBench() as bench:
        await bench.work_off(consumer_of(bench, succeed), publish=lambda: bench.client.publish_task("order"))
        assert ends(bench) == [
            (None, "ArithmeticError", StatusCode.ERROR),
            ("acked", None, StatusCode.UNSET),
        ]


async def test_texts_that_utf8_cannot_hold_are_replaced() -> None:
    async def handle(task: TaskEnvelope, context: TaskContext) -> None:
        raise LookupError("no \ud800 order")

    async with TracedBench() as bench:
        await bench.work_off(
            consumer_of(bench, handle, retry_policy=NO_RETRY),
            publish=lambda: bench.client.publish_task("order"),
        )
        [processed] = bench.traces.named("process work")
        assert processed.status.description == "no \N{REPLACEMENT CHARACTER} order"
