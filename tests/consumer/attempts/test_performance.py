"""Publish with confirm, say the closing event, make it durable, settle: in that order, whatever fails on the way."""

from __future__ import annotations

from typing import Any

import pytest
from consumer.acting import ACTING, act, closings
from consumer.bench import Bench, attempts, nodes
from consumer.faults import PUBLISH_FAULTS, Note, NotedSink, NotingBroker

from relayna.clock import FrozenClock
from relayna.consumer import RetryPolicy, TaskConsumer, TaskContext, TaskEnvelope
from relayna.streams import Durability, Recorder

pytestmark = pytest.mark.anyio

WAITS = ("work.retry.1000ms", "work.retry.2000ms")


class NotingBench(Bench):
    """A bench that notes, in one list, what is published, recorded, promised and settled."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        super().__init__(broker=self._noting, sink=self._noted)

    def _noting(self, clock: FrozenClock) -> NotingBroker:
        self.noting = NotingBroker(clock=clock, notes=self.notes)
        return self.noting

    def _noted(self, recorder: Recorder) -> NotedSink:
        self.noted = NotedSink(recorder, self.notes)
        return self.noted


def consumer_of(bench: Bench, **options: Any) -> TaskConsumer:
    return TaskConsumer(rabbitmq=bench.client, handler=act, **{"retry_policy": ACTING, **options})


async def notes_of_first_delivery(task_id: str) -> list[Note]:
    """What was done from the handler's end to the settlement of the task's first delivery."""
    async with NotingBench() as bench:
        async with bench.working(consumer_of(bench)):
            bench.notes.clear()
            await bench.client.publish_task(task_id)
            await bench.settled()
        settled = next(n for n, note in enumerate(bench.notes) if note[0] == "settled")
        return bench.notes[bench.notes.index(("published", task_id)) + 1 : settled + 1]


RECORDED_AND_SAFE = [("durable", "stored"), ("settled", "ack")]


@pytest.mark.parametrize(
    ("task_id", "steps"),
    [
        (
            "plain",
            [
                ("recorded", "TaskLifecycleStatusPublished"),
                ("published", "plain"),
                ("recorded", "TaskMessageAcked"),
            ],
        ),
        (
            "spawn",
            [
                ("recorded", "ChildRegistered"),
                ("recorded", "TaskPublished"),
                ("recorded", "ChildRegistered"),
                ("recorded", "TaskPublished"),
                ("durable", "stored"),
                ("published", "task"),
                ("published", "task"),
                ("recorded", "TaskLifecycleStatusPublished"),
                ("published", "spawn"),
                ("recorded", "TaskMessageAcked"),
            ],
        ),
        (
            "again",
            [
                ("recorded", "TaskLifecycleStatusPublished"),
                ("published", "again"),
                ("published", "task"),
                ("recorded", "TaskMessageAcked"),
            ],
        ),
        (
            "retry",
            [
                ("recorded", "TaskHandlerFailed"),
                ("recorded", "TaskLifecycleStatusPublished"),
                ("published", "retry"),
                ("published", "work.retry.1000ms"),
                ("recorded", "ConsumerRetryScheduled"),
            ],
        ),
        (
            "dead",
            [
                ("recorded", "TaskHandlerFailed"),
                ("recorded", "TaskLifecycleStatusPublished"),
                ("published", "dead"),
                ("published", "work"),
                ("recorded", "DeadLetterRecorded"),
                ("recorded", "ConsumerDeadLetterPublished"),
            ],
        ),
    ],
)
async def test_the_order(task_id: str, steps: list[Note]) -> None:
    assert await notes_of_first_delivery(task_id) == steps + RECORDED_AND_SAFE


async def play(task_id: str, fault: str, number: int) -> tuple[NotingBench, int]:
    """Handle the task to its end while one publish fails; how many publishes there were."""
    async with NotingBench() as bench:
        async with bench.working(consumer_of(bench)):
            await bench.client.publish_task(task_id)
            start = bench.noting.publishes
            bench.noting.faults[start + number] = PUBLISH_FAULTS[fault]
            await bench.settled()
            for _ in range(4):
                bench.clock.advance(5)
                await bench.settled()
        assert all(bench.broker.depth(queue) == 0 for queue in ("work", *WAITS))
        for told in (task_id, "first-of-spawn", "second-of-spawn"):
            for delivery, ends in closings(await bench.events(told)).items():
                assert len(ends) == 1, (number, told, delivery)
        graph = await bench.graph(task_id)
        assert graph.summary.graph_completeness == "full", (number, graph.annotations)
        await check(task_id, fault, bench)
        return bench, bench.noting.publishes - start


async def check(task_id: str, fault: str, bench: Bench) -> None:
    """What must have come of it, whatever failed."""
    graph = await bench.graph(task_id)
    match task_id:
        case "spawn":
            assert attempts(graph)[-1] == ("acked", "succeeded")
            assert sorted(nodes(graph, "aggregation_child")) == ["first-of-spawn", "second-of-spawn"]
            if fault != "unroutable":  # then it is another attempt's wish, and another message
                published = [event.envelope.event_id for event in await bench.events("first-of-spawn")]
                assert len(published) == len(set(published))
                assert len({name for name, *_ in closings(await bench.events("first-of-spawn"))}) == 1
        case "retry" | "again" | "plain":
            assert attempts(graph)[-1] == ("acked", "succeeded")
            assert graph.summary.status == "completed"
            assert nodes(graph, "status_event").count("completed") == 1
            outcomes = {node.id: node.annotations.get("outcome") for node in graph.nodes}
            by_hand = [edge.source for edge in graph.edges if edge.kind == "manual_retry_to"]
            assert {outcomes[source] for source in by_hand} <= {"manual_retry"}
            assert bool(by_hand) == (task_id == "again") or fault == "unknown"
        case "dead":
            assert attempts(graph)[-1] == ("dead_lettered", "dead_lettered")
            copies = await bench.messages("work.dead_letters")
            assert len({copy.message_id for copy in copies}) == 1
            assert [copy.headers.get("x-relayna-repeated", False) for copy in copies] in (
                [False],
                [True],
                [False, True],
            )
            assert len(nodes(graph, "dlq_record")) == 1


@pytest.mark.parametrize("fault", PUBLISH_FAULTS)
@pytest.mark.parametrize("task_id", ["plain", "spawn", "again", "retry", "dead"])
async def test_a_publish_that_fails_at_any_point(task_id: str, fault: str) -> None:
    number, publishes = 0, 1
    while number < publishes:
        _, publishes = await play(task_id, fault, number)
        number += 1
    assert number >= 2


@pytest.mark.parametrize("answer", [Durability.PENDING, Durability.LOST])
async def test_without_durability_it_is_settled_all_the_same_and_counted(answer: Durability) -> None:
    async with NotingBench() as bench:
        bench.noted.answer = answer
        async with bench.working(consumer_of(bench)):
            for task_id in ("plain", "spawn", "dead"):
                await bench.client.publish_task(task_id)
                await bench.settled()
        assert bench.counters["relayna_settled_before_durable_total"] == 5
        assert bench.notes.count(("settled", "ack")) == 5
        assert bench.broker.depth("work.dead_letters") == 1


async def test_what_the_local_disk_has_is_durable() -> None:
    async with NotingBench() as bench:
        bench.noted.answer = Durability.SPOOLED
        async with bench.working(consumer_of(bench)):
            await bench.client.publish_task("plain")
            await bench.settled()
        assert bench.counters["relayna_settled_before_durable_total"] == 0
        assert bench.notes.count(("settled", "ack")) == 1


@pytest.mark.parametrize("task_id", ["plain", "spawn", "again", "retry", "dead"])
async def test_without_a_sink_everything_works_and_no_cause_is_named(task_id: str) -> None:
    async with Bench(sink=lambda recorder: None) as bench:
        async with bench.working(consumer_of(bench)):
            await bench.client.publish_task(task_id)
            await bench.settled()
            waiting = await bench.messages("work.retry.1000ms")
            for copy in waiting:
                await bench.broker.publish(copy, exchange="", routing_key="work")
            await bench.settled()
        letters = await bench.messages("work.dead_letters")
        statuses = await bench.messages("statuses.all")
        assert (len(waiting), len(letters)) == (task_id == "retry", task_id == "dead")
        assert all("x-relayna-cause" not in one.headers for one in (*waiting, *letters, *statuses))
        assert all(one.headers["x-relayna-task-id"] for one in (*waiting, *letters, *statuses))
        assert await bench.told(task_id) == []
        assert not bench.counters


@pytest.mark.parametrize(
    ("task_id", "queue"), [("retry", "work.retry.1000ms"), ("dead", "work.dead_letters")]
)
async def test_a_queue_of_ours_that_somebody_deleted_is_made_again(task_id: str, queue: str) -> None:
    async with NotingBench() as bench:
        async with bench.working(consumer_of(bench)):
            del bench.broker._host._queues[queue]
            await bench.client.publish_task(task_id)
            await bench.settled()
            assert bench.broker.depth(queue) == 1
        assert len(closings(await bench.events(task_id))) == 1
        assert not bench.counters


async def test_what_cannot_be_given_to_any_queue_goes_back_and_is_counted() -> None:
    async with NotingBench() as bench:
        unroutable = PUBLISH_FAULTS["unroutable"]
        async with bench.working(consumer_of(bench, lifecycle_statuses=False)):
            await bench.client.publish_task("dead")
            bench.noting.faults = {bench.noting.publishes: unroutable}
            await bench.settled()
        assert bench.counters == {"relayna_outcomes_failed_total": 1}
        assert attempts(await bench.graph("dead")) == [
            ("released", "failed"),
            ("dead_lettered", "dead_lettered"),
        ]
        assert [how for what, how in bench.notes if what == "settled"] == ["release", "ack"]
        assert bench.workers_clock.pauses == [1.0]


async def test_while_nothing_can_be_published_a_delivery_does_not_go_round_and_round() -> None:
    async with NotingBench() as bench:
        async with bench.working(consumer_of(bench)):
            await bench.client.publish_task("plain")
            first = bench.noting.publishes
            bench.noting.faults = dict.fromkeys(range(first, first + 10), PUBLISH_FAULTS["disconnected"])
            await bench.settled()
        assert bench.workers_clock.pauses == [1.0] * 5
        assert attempts(await bench.graph("plain")) == [("released", "abandoned")] * 5 + [
            ("acked", "succeeded")
        ]


async def test_a_handler_whose_wish_cannot_be_published_fails_by_name() -> None:
    async def spawn_where_nobody_listens(task: TaskEnvelope, context: TaskContext) -> None:
        await context.spawn()

    async with NotingBench() as bench:
        consumer = TaskConsumer(
            rabbitmq=bench.client,
            handler=spawn_where_nobody_listens,
            retry_policy=RetryPolicy(max_retries=0),
            lifecycle_statuses=False,
        )
        async with bench.working(consumer):
            await bench.client.publish_task("order")
            bench.noting.faults = {bench.noting.publishes: PUBLISH_FAULTS["unroutable"]}
            await bench.settled()
        assert (await bench.told("order"))[2:] == [
            "ChildRegistered",
            "TaskHandlerFailed",
            "DeadLetterRecorded",
            "ConsumerDeadLetterPublished",
        ]
        [attempt] = [node for node in (await bench.graph("order")).nodes if node.kind == "task_attempt"]
        assert attempt.annotations["exception_type"] == "Unroutable"


async def test_a_copy_that_was_published_twice_is_handled_once() -> None:
    for prefetch in (1, 2, 5):
        async with NotingBench() as bench:
            async with bench.working(consumer_of(bench, lifecycle_statuses=False, prefetch=prefetch)):
                await bench.client.publish_task("retry")
                bench.noting.faults = {bench.noting.publishes: PUBLISH_FAULTS["unknown"]}
                await bench.settled()
                assert bench.broker.depth("work.retry.1000ms") == 2
                bench.clock.advance(1)
                await bench.settled()
            told = await bench.told("retry")
            assert told.count("TaskMessageAcked") == told.count("DeliveryRepeated") == 1
            ends = closings(await bench.events("retry"))
            assert {delivery[2]: end for delivery, end in ends.items()} == {
                0: ["ConsumerRetryScheduled"],
                1: ["TaskMessageAcked"],
            }
            assert (await bench.graph("retry")).summary.graph_completeness == "full"
