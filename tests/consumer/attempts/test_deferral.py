"""Copies of one message that two processes take at the same moment: one handles it, the other waits and lets it be."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import pytest
from consumer.bench import Bench, attempts
from consumer.faults import NotedSink

from relayna.clock import FrozenClock
from relayna.consumer import Message, RelaynaClient, RetryPolicy, TaskConsumer, TaskContext, TaskEnvelope
from relayna.consumer.attempts.at_hand import Handling
from relayna.consumer.attempts.deferral import Deferral
from relayna.consumer.attempts.repeats import PriorAttempts
from relayna.consumer.messages.causal_headers import CausalHeaders, write_headers
from relayna.consumer.messages.incoming import read_delivery
from relayna.events import DeliveryRepeated, RecordedEvent, TaskMessageRejected
from relayna.ids import AttemptId, EventId, MessageId, TaskId
from relayna.streams import Recorder

pytestmark = pytest.mark.anyio

COPY = Message(
    body=b'{"task_id":"order"}',
    headers=write_headers(CausalHeaders(message_id=MessageId("m"), repeated=True), {}),
)


class WatchedClock(FrozenClock):
    """A clock of which one can tell that somebody waits by it."""

    def __init__(self) -> None:
        super().__init__()
        self._somebody = anyio.Event()

    async def sleep(self, seconds: float) -> None:
        if seconds < 1:  # the grace for a first copy, which passes by itself
            return await anyio.lowlevel.checkpoint()
        self._somebody.set()
        return await super().sleep(seconds)

    async def asleep(self) -> None:
        """Return once somebody waits."""
        await self._somebody.wait()

    async def tick(self) -> None:
        """Once somebody waits, move on by a second."""
        await self.asleep()
        self._somebody = anyio.Event()
        self.advance(1)


class Meeting:
    """Lets nobody on before so many have come; whoever comes later passes."""

    def __init__(self, size: int) -> None:
        self._missing = size
        self._complete = anyio.Event()

    async def come(self) -> None:
        self._missing -= 1
        if self._missing <= 0:
            self._complete.set()
        await self._complete.wait()


class ReadingSink(NotedSink):
    """A sink that counts reads, and that can make its readers meet others."""

    def __init__(self, recorder: Recorder, meeting: Meeting | None = None) -> None:
        super().__init__(recorder)
        self.reads = 0
        self._meeting = meeting

    async def read(self, task_id: TaskId) -> Sequence[RecordedEvent]:
        self.reads += 1
        events = await super().read(task_id)
        if self._meeting is not None:
            await self._meeting.come()
        return events

    async def meet(self) -> None:
        """Be the one whom its readers wait for."""
        assert self._meeting is not None
        await self._meeting.come()


class Worker:
    """A process of its own: its own client, its own recorder; the broker and the log are everybody's."""

    def __init__(
        self, bench: Bench, clock: FrozenClock, meeting: Meeting | None = None, **options: Any
    ) -> None:
        self.sink = ReadingSink(Recorder(bench.log, clock=bench.workers_clock), meeting)
        self.client = RelaynaClient(
            topology=bench.client.topology,
            broker=bench.broker,
            observation_sink=self.sink,
            clock=clock,
            counters=bench.counters,
        )
        self.entered = anyio.Event()
        self.may_end = anyio.Event()
        self.handled = 0
        self.notes_at_entry: list[tuple[str, str]] = []
        self.consumer = TaskConsumer(rabbitmq=self.client, handler=self._handle, prefetch=1, **options)

    async def _handle(self, task: TaskEnvelope, context: TaskContext) -> None:
        self.notes_at_entry = list(self.sink.notes)
        self.entered.set()
        await self.may_end.wait()
        self.handled += 1


@asynccontextmanager
async def at_work(*workers: Worker) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack, anyio.create_task_group() as running:
        for worker in workers:
            await stack.enter_async_context(worker.client)
            await running.start(worker.consumer.run)
        yield
        for worker in workers:
            worker.consumer.stop()


async def publish_copies(bench: Bench, count: int = 2) -> None:
    for _ in range(count):
        await bench.broker.publish(COPY, exchange="", routing_key="work")


async def end(bench: Bench, worker: Worker) -> None:
    """Let its handler end, and return when the log knows."""
    worker.may_end.set()
    while "TaskMessageAcked" not in await bench.told("order"):
        await anyio.lowlevel.checkpoint()


async def test_a_copy_waits_for_the_attempt_that_another_process_has_begun() -> None:
    clock = WatchedClock()
    async with Bench() as bench:
        first, second = Worker(bench, clock), Worker(bench, clock)
        async with at_work(first):
            await publish_copies(bench)
            await first.entered.wait()
            async with at_work(second):
                for _ in range(3):
                    await clock.tick()
                assert not second.entered.is_set()
                assert (await bench.told("order")).count("TaskMessageReceived") == 1
                await end(bench, first)
                await clock.tick()
                await bench.settled()
        assert (first.handled, second.handled) == (1, 0)
        graph = await bench.graph("order")
        assert attempts(graph) == [("acked", "succeeded")]
        assert graph.summary.graph_completeness == "full"
        assert (await bench.told("order"))[-1] == "DeliveryRepeated"


async def test_when_both_looked_before_either_began_the_logs_order_decides() -> None:
    clock = WatchedClock()
    async with Bench() as bench:
        meeting = Meeting(2)
        workers = [Worker(bench, clock, meeting) for _ in range(2)]
        async with at_work(*workers):
            await publish_copies(bench)
            await clock.tick()  # one of them waits
            while not any(worker.entered.is_set() for worker in workers):
                await anyio.lowlevel.checkpoint()
            [winner] = [worker for worker in workers if worker.entered.is_set()]
            await end(bench, winner)
            await clock.tick()
            await bench.settled()
        assert sorted(worker.handled for worker in workers) == [0, 1]
        graph = await bench.graph("order")
        assert sorted(attempts(graph)) == [("acked", "succeeded"), ("released", "abandoned")]
        assert graph.summary.status == "completed"
        assert graph.summary.graph_completeness == "full"
        events = await bench.events("order")
        [rejected] = [event for event in events if isinstance(event.body, TaskMessageRejected)]
        assert (rejected.body.requeue, rejected.body.reason) == (True, "deferred")
        [repeated] = [event for event in events if isinstance(event.body, DeliveryRepeated)]
        assert repeated.envelope.attempt_id not in (None, rejected.envelope.attempt_id)


async def test_a_first_copy_that_asked_nobody_goes_before_a_second_one_that_began_before_it() -> None:
    clock = WatchedClock()
    async with Bench() as bench:
        second, first = Worker(bench, clock, Meeting(2)), Worker(bench, clock)
        second.may_end.set()
        async with at_work(second):
            await publish_copies(bench, 1)
            while not second.sink.reads:
                await anyio.lowlevel.checkpoint()
            # It has looked and found nothing; now the first copy is begun, which looks at nothing.
            async with at_work(first):
                plain = Message(
                    body=COPY.body,
                    headers=write_headers(CausalHeaders(message_id=MessageId("m"), cause=EventId("c.1")), {}),
                )
                await bench.broker.publish(plain, exchange="", routing_key="work")
                await first.entered.wait()
                await first.sink.durable()
                await second.sink.meet()
                await clock.tick()
                await end(bench, first)
                await clock.tick()
                await bench.settled()
        assert (first.handled, second.handled) == (1, 0)
        assert (await bench.told("order")).count("TaskMessageAcked") == 1


@pytest.mark.parametrize("count", [3, 8])
async def test_of_many_one_handles_it(count: int) -> None:
    clock = WatchedClock()
    async with Bench() as bench:
        meeting = Meeting(count)
        workers = [Worker(bench, clock, meeting) for _ in range(count)]
        for worker in workers:
            worker.may_end.set()
        async with at_work(*workers), anyio.create_task_group() as ticking:
            await publish_copies(bench, count)

            async def tick() -> None:
                while True:
                    await clock.tick()

            ticking.start_soon(tick)
            await bench.settled()
            ticking.cancel_scope.cancel()
        assert sum(worker.handled for worker in workers) == 1
        assert (await bench.told("order")).count("TaskMessageAcked") == 1
        assert bench.broker.depth("work.dead_letters") == 0


@pytest.mark.parametrize(("handler_timeout", "seconds"), [(None, 60), (90, 90)])
async def test_nobody_waits_for_ever(handler_timeout: float | None, seconds: int) -> None:
    clock = WatchedClock()
    async with Bench() as bench:
        first = Worker(bench, clock)
        second = Worker(bench, clock, handler_timeout=handler_timeout)
        async with at_work(first):
            await publish_copies(bench)
            await first.entered.wait()
            async with at_work(second):
                for _ in range(seconds):
                    assert not second.entered.is_set()
                    await clock.tick()
                await second.entered.wait()
                second.may_end.set()
                first.may_end.set()
                await bench.settled()
        assert (first.handled, second.handled) == (1, 1)


async def test_a_worker_that_stops_gives_the_copy_back_at_once_and_tells_nothing() -> None:
    clock = WatchedClock()
    async with Bench() as bench:
        policy = RetryPolicy(max_retries=0)
        first = Worker(bench, clock, retry_policy=policy)
        second = Worker(bench, clock, drain_seconds=0, retry_policy=policy)
        async with at_work(first):
            await publish_copies(bench)
            await first.entered.wait()
            async with at_work(second):
                await clock.tick()
            assert bench.broker.depth("work") == 1
            assert (await bench.told("order")).count("TaskMessageReceived") == 1
            first.may_end.set()
            await bench.settled()
        assert (first.handled, second.handled) == (1, 0)
        assert bench.broker.depth("work.dead_letters") == 0


async def test_a_copy_whose_channel_is_lost_waits_no_longer() -> None:
    clock = WatchedClock()
    async with Bench() as bench:
        first, second = Worker(bench, clock), Worker(bench, clock)
        prior: list[PriorAttempts] = []
        async with at_work(first), second.client:
            await publish_copies(bench)
            await first.entered.wait()
            async with anyio.create_task_group() as group:
                async with bench.broker.consume("work", prefetch=1) as subscription:
                    incoming = read_delivery(await anext(aiter(subscription)), TaskEnvelope, place="work")
                    deferral = Deferral(second.client, second.sink, incoming, handler_timeout=None)
                    handling = Handling(AttemptId("own"), incoming)

                    async def look() -> None:
                        prior.append(await deferral.prior(handling))

                    group.start_soon(look)
                    await clock.asleep()
                await clock.tick()
            assert prior == [PriorAttempts(unfinished=1, ahead=1)]
            first.may_end.set()
            await bench.settled()


async def test_what_may_be_a_repeat_is_stored_before_its_handler_starts_and_nothing_else_is_read() -> None:
    async with Bench() as bench:
        worker = Worker(bench, WatchedClock(), lifecycle_statuses=False)
        worker.may_end.set()
        async with at_work(worker):
            await bench.client.publish_task("plain")
            await bench.settled()
        assert worker.sink.reads == 0
        assert worker.notes_at_entry == [("recorded", "TaskMessageReceived")]
    async with Bench() as bench:
        worker = Worker(bench, WatchedClock(), lifecycle_statuses=False)
        worker.may_end.set()
        await bench.client.publish_task("order")
        async with bench.broker.consume("work", prefetch=1):
            pass
        async with at_work(worker):
            await bench.settled()
        assert worker.sink.reads == 1
        assert worker.notes_at_entry[-2:] == [("recorded", "TaskMessageReceived"), ("durable", "stored")]
