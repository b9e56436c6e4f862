"""What is measured of attempts, by what became of them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import anyio
import pytest
from consumer.bench import QUICK, SHARED, Bench

from relayna.consumer import RelaynaClient, RetryPolicy, TaskConsumer
from relayna.consumer.client import IgnoredCounters
from relayna.signals import IgnoredMeasures, IgnoredSpans, ReadGauge

pytestmark = pytest.mark.anyio


class ToldMeasures(IgnoredMeasures):
    """Measures that a test can look at."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, ...]] = Counter()
        self.values: dict[str, list[tuple[float, str | None]]] = {}
        self.gauges: dict[tuple[str, ...], ReadGauge] = {}

    def increment(self, name: str, by: int = 1, **labels: str) -> None:
        self.counts[(name.removeprefix("relayna_"), *labels.values())] += by

    def observe(self, name: str, value: float, *, exemplar: str | None = None, **labels: str) -> None:
        self.values.setdefault(name.removeprefix("relayna_"), []).append((value, exemplar))

    def watch(self, name: str, read: ReadGauge, **labels: str) -> None:
        self.gauges[(name.removeprefix("relayna_"), *labels.values())] = read


class MeasuredBench(Bench):
    """A workbench whose client measures."""

    def __init__(self) -> None:
        self.measures = ToldMeasures()
        super().__init__()

    def client_of(self, topology: Any) -> RelaynaClient:
        return RelaynaClient(
            topology=topology,
            broker=self.broker,
            observation_sink=self.sink,
            clock=self.workers_clock,
            mint=self.mint,
            counters=self.measures,
        )

    def attempts(self, outcome: str) -> int:
        return self.measures.counts[("attempts_total", "work", outcome)]


async def test_each_attempt_is_counted_by_its_outcome_and_timed_with_its_task() -> None:
    async def fail_first(task: Any, context: Any) -> None:
        if context.retry_attempt == 0:
            raise ValueError

    async with MeasuredBench() as bench:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=fail_first, retry_policy=QUICK)
        await bench.work_off(consumer, publish=lambda: bench.client.publish_task("order"), retries=1)
        assert (bench.attempts("retried"), bench.attempts("acked")) == (1, 1)
        assert [task for _, task in bench.measures.values["attempt_duration_seconds"]] == ["order"] * 2
        assert all(seconds >= 0 for seconds, _ in bench.measures.values["attempt_duration_seconds"])


async def test_only_the_first_delivery_of_a_message_has_waited_in_its_queue() -> None:
    async def fail(task: Any, context: Any) -> None:
        raise ValueError

    async with MeasuredBench() as bench:
        await bench.client.publish_task("order")
        bench.clock.advance(7)
        consumer = TaskConsumer(rabbitmq=bench.client, handler=fail, retry_policy=QUICK)
        async with bench.working(consumer):
            await bench.settled()
            for _ in range(2):
                bench.clock.advance(2)
                await bench.settled()
        [(seconds, task)] = bench.measures.values["queue_wait_seconds"]
        assert (round(seconds, 2), task) == (7, "order")
        assert bench.attempts("dead_lettered") == 1


async def test_a_message_of_others_says_nothing_of_its_wait() -> None:
    async def handle(task: Any, context: Any) -> None:
        pass

    async with MeasuredBench() as bench:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=handle)
        message = (await _published(bench)).__class__(body=b'{"task_id":"order"}')
        await bench.work_off(
            consumer, publish=lambda: bench.broker.publish(message, exchange="tasks", routing_key="task")
        )
        assert bench.attempts("acked") == 1
        assert "queue_wait_seconds" not in bench.measures.values


async def _published(bench: Bench) -> Any:
    await bench.client.publish_task("first")
    [message] = await bench.messages("work")
    return message


async def test_dead_letters_are_counted_by_their_reason() -> None:
    async def fail(task: Any, context: Any) -> None:
        raise KeyError

    async with MeasuredBench() as bench:
        consumer = TaskConsumer(
            rabbitmq=bench.client, handler=fail, retry_policy=RetryPolicy(non_retryable=(KeyError,))
        )
        await bench.work_off(consumer, publish=lambda: bench.client.publish_task("order"))
        counts = bench.measures.counts
        assert counts[("dead_letters_total", "work", "not_retryable")] == 1
        # The others stand at nothing, so that the first of them is seen as one more.
        assert counts[("dead_letters_total", "work", "poison")] == 0
        assert ("dead_letters_total", "work", "poison") in counts


async def test_attempts_are_in_progress_while_they_are() -> None:
    entered, go_on = anyio.Event(), anyio.Event()

    async def wait(task: Any, context: Any) -> None:
        entered.set()
        await go_on.wait()

    async with MeasuredBench() as bench:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=wait)
        async with bench.working(consumer):
            await bench.client.publish_task("order")
            await entered.wait()
            in_progress = bench.measures.gauges[("attempts_in_progress", "work")]
            assert in_progress() == 1
            go_on.set()
            await bench.settled()
            assert in_progress() == 0


async def test_a_lost_ack_is_no_attempt_of_its_own() -> None:
    async def handle(task: Any, context: Any) -> None:
        bench.broker.lose_acks("work")

    async with MeasuredBench() as bench:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=handle)
        await bench.work_off(consumer, publish=lambda: bench.client.publish_task("order"))
        assert bench.attempts("acked") == 1
        assert bench.measures.counts[("deliveries_repeated_total", "work")] == 1
        assert len(bench.measures.values["attempt_duration_seconds"]) == 1


def test_who_asks_for_no_numbers_pays_for_none() -> None:
    bench = Bench()
    client = RelaynaClient(topology=SHARED, broker=bench.broker)
    assert isinstance(client.counters, IgnoredCounters)
    assert isinstance(client.spans, IgnoredSpans)
