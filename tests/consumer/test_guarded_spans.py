"""A tracer that raises harms no message: whatever it does, publishes and attempts go on as they would without it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from consumer.bench import QUICK, Bench, attempts

from relayna.consumer import RelaynaClient, TaskConsumer, TaskContext, TaskEnvelope
from relayna.consumer.guarded_spans import GuardedSpans
from relayna.signals import (
    AttemptDetails,
    AttemptSpan,
    IgnoredAttemptSpan,
    IgnoredCounters,
    IgnoredSpans,
    SendDetails,
    Spans,
)
from relayna.topologies import Topology

pytestmark = pytest.mark.anyio


class BrokenTracer(Exception):
    pass


class DeafSpan:
    def raised(self, error: BaseException) -> None:
        raise BrokenTracer

    def failed(self, error_type: str, message: str) -> None:
        raise BrokenTracer

    def ended(self, outcome: str) -> None:
        raise BrokenTracer


class RefusingSpans:
    """Raises as soon as it is asked."""

    def sending(self, details: SendDetails) -> AbstractContextManager[Mapping[str, Any]]:
        raise BrokenTracer

    def processing(self, details: AttemptDetails) -> AbstractContextManager[AttemptSpan]:
        raise BrokenTracer


class SpansThatDoNotBegin:
    """Raises on entry."""

    @contextmanager
    def sending(self, details: SendDetails) -> Iterator[Mapping[str, Any]]:
        if details.body_size:
            raise BrokenTracer
        yield details.headers

    @contextmanager
    def processing(self, details: AttemptDetails) -> Iterator[AttemptSpan]:
        if details.body_size:
            raise BrokenTracer
        yield IgnoredAttemptSpan()


class SpansThatDoNotEnd:
    """Raises on exit, instead of what was raised inside."""

    @contextmanager
    def sending(self, details: SendDetails) -> Iterator[Mapping[str, Any]]:
        try:
            yield details.headers
        finally:
            raise BrokenTracer

    @contextmanager
    def processing(self, details: AttemptDetails) -> Iterator[AttemptSpan]:
        try:
            yield DeafSpan()
        finally:
            raise BrokenTracer


class SwallowingSpans:
    """Suppresses what is raised inside, which it may not."""

    def sending(self, details: SendDetails) -> AbstractContextManager[Mapping[str, Any]]:
        return Swallow(details.headers)

    def processing(self, details: AttemptDetails) -> AbstractContextManager[AttemptSpan]:
        return Swallow(IgnoredAttemptSpan())


class Swallow(AbstractContextManager[Any]):
    def __init__(self, entered: Any) -> None:
        self._entered = entered

    def __enter__(self) -> Any:
        return self._entered

    def __exit__(self, *raised: object) -> bool:
        return True


class SpannedBench(Bench):
    def __init__(self, spans: Spans) -> None:
        self._spans = spans
        super().__init__()

    def client_of(self, topology: Topology) -> RelaynaClient:
        return RelaynaClient(
            topology=topology,
            broker=self.broker,
            observation_sink=self.sink,
            clock=self.workers_clock,
            mint=self.mint,
            counters=self.counters,
            spans=self._spans,
        )


async def fail_once(task: TaskEnvelope, context: TaskContext) -> None:
    if context.retry_attempt == 0:
        raise LookupError("no such order")


BROKEN = {
    "refusing": (RefusingSpans, 8),
    "not beginning": (SpansThatDoNotBegin, 8),
    # Six publishes and two attempts end; one span is told what was raised, that it failed, and both how they ended.
    "not ending": (SpansThatDoNotEnd, 12),
}


@pytest.mark.parametrize(("spans", "failures"), BROKEN.values(), ids=BROKEN)
async def test_a_tracer_that_raises_is_counted_and_the_work_goes_on(
    spans: Callable[[], Spans], failures: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with SpannedBench(spans()) as bench:
        with caplog.at_level(logging.WARNING, logger="relayna.consumer"):
            await bench.work_off(
                TaskConsumer(rabbitmq=bench.client, handler=fail_once, retry_policy=QUICK),
                publish=lambda: bench.client.publish_task("order"),
                retries=1,
            )
        graph = await bench.graph("order")
        assert attempts(graph) == [("retried", "failed"), ("acked", "succeeded")]
        assert (graph.summary.status, graph.summary.graph_completeness) == ("completed", "full")
        assert bench.counters == {"relayna_spans_failed_total": failures}
    [told] = [record for record in caplog.records if "A span failed" in record.message]
    assert told.exc_info is not None
    assert told.exc_info[0] is BrokenTracer


DETAILS = AttemptDetails(
    exchange="tasks",
    routing_key="task",
    headers={"colour": "blue"},
    message_id=None,
    correlation_id=None,
    body_size=1,
    queue_name="work",
    delivery_tag=1,
    task_id="order",
    session_id=None,
    attempt_id="a",
    retry_attempt=0,
)


@pytest.mark.parametrize(
    "spans", [RefusingSpans, SpansThatDoNotBegin, SpansThatDoNotEnd, SwallowingSpans, IgnoredSpans]
)
@pytest.mark.parametrize("error", [LookupError("own"), KeyboardInterrupt(), StopIteration()], ids=repr)
async def test_what_is_raised_inside_passes_through(spans: Callable[[], Spans], error: BaseException) -> None:
    guarded = GuardedSpans(spans(), IgnoredCounters())
    with pytest.raises(BaseException) as sending, guarded.sending(DETAILS):  # noqa: PT011
        raise error
    with pytest.raises(BaseException) as processing, guarded.processing(DETAILS):  # noqa: PT011
        raise error
    assert sending.value is error
    assert processing.value is error
