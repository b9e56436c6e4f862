"""Dead letters replayed through real consumers: nothing lost, nothing handled twice, whatever breaks between."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import anyio
import pytest
from consumer.bench import Bench, attempts, edges
from consumer.faults import PUBLISH_FAULTS, NotingBroker
from streams.faulty_log import FaultyLog

from relayna.clock import FrozenClock
from relayna.consumer import MemoryBroker, Message, RetryPolicy, TaskConsumer, TaskContext, TaskEnvelope
from relayna.errors import Disconnected, InvalidSetting, OutcomeUnknown, Unroutable
from relayna.events import DeadLetterReplayed, TaskMessageReceived
from relayna.observability import DLQService, ReplayOutcome
from relayna.observability.dead_letter_service import DLQStore
from relayna.projections.graph import ExecutionGraph

pytestmark = pytest.mark.anyio

AT_ONCE: Final = RetryPolicy(max_retries=0)


class Killed(Exception):
    """The process that replays was killed here."""


class DyingBroker(NotingBroker):
    """A broker whose users die around chosen publishes, counted from 0."""

    def __init__(self, *, clock: FrozenClock) -> None:
        super().__init__(clock=clock)
        self.dying: str | None = None
        """`before` or `after` the next publish."""

    async def publish(
        self, message: Message, *, exchange: str, routing_key: str, confirm_timeout: float = 10.0
    ) -> None:
        dying, self.dying = self.dying, None
        if dying == "before":
            raise Killed
        await super().publish(message, exchange=exchange, routing_key=routing_key)
        if dying == "after":
            raise Killed


class Works:
    """A handler that fails until it is mended."""

    def __init__(self) -> None:
        self.mended = False
        self.handled: Counter[str] = Counter()

    async def __call__(self, task: TaskEnvelope, context: TaskContext) -> None:
        if not self.mended:
            raise KeyError("total")
        self.handled[task.task_id] += 1


def bench_of(broker: Callable[[FrozenClock], MemoryBroker] = lambda clock: DyingBroker(clock=clock)) -> Bench:
    return Bench(broker=broker)


def service_of(bench: Bench, **options: Any) -> DLQService:
    """What one process more would have."""
    store = DLQStore(bench.log, clock=bench.workers_clock)
    return DLQService(store=store, broker=bench.broker, **options)


def consumer_of(bench: Bench, handler: Any, policy: RetryPolicy = AT_ONCE) -> TaskConsumer:
    return TaskConsumer(rabbitmq=bench.client, handler=handler, retry_policy=policy, prefetch=20)


async def dead(bench: Bench, handler: Works, *task_ids: str) -> list[str]:
    """Let these tasks fail; the ids of their dead letters."""

    async def publish() -> None:
        for task_id in task_ids:
            await bench.client.publish_task(task_id, {"total": 7}, headers={"tenant": "t"})

    await bench.work_off(consumer_of(bench, handler), publish=publish)
    return [await newest(bench, task_id) for task_id in task_ids]


async def newest(bench: Bench, task_id: str) -> str:
    await bench.recorder.durable()
    return str((await service_of(bench).list_dead_letters(task_id))[-1]["dead_letter_id"])


async def work_off(bench: Bench, handler: Works) -> None:
    async with bench.working(consumer_of(bench, handler)):
        await bench.settled()


def letter_states(graph: ExecutionGraph) -> list[str]:
    return [node.annotations["state"] for node in graph.nodes if node.kind == "dlq_record"]


async def check_replayed_once(bench: Bench, task_id: str) -> None:
    """The replay was handled once, is recorded once, and is the observed birth of its attempt."""
    events = await bench.events(task_id)
    received = [event for event in events if isinstance(event.body, TaskMessageReceived)]
    assert [event.body.replay_count for event in received] == [0, 1], task_id
    marks = {event.envelope.event_id for event in events if isinstance(event.body, DeadLetterReplayed)}
    assert len(marks) == 1, task_id
    graph = await bench.graph(task_id)
    assert attempts(graph) == [("dead_lettered", "dead_lettered"), ("acked", "succeeded")]
    births = [edge for edge in graph.edges if edge.kind == "replayed_as"]
    assert [(edge.source, edge.target) for edge in births] == [
        (f"dlq:{task_id}:1", f"task-attempt:{task_id}:2")
    ]
    assert births[0].annotations["evidence"] == "observed"
    assert letter_states(graph) == ["replayed"]
    assert "warnings" not in graph.annotations
    [letter] = await service_of(bench).list_dead_letters(task_id)
    assert letter["replay_count"] == 1


async def test_a_replay_is_a_new_attempt_linked_to_its_letter() -> None:
    handler = Works()
    async with bench_of() as bench:
        [letter] = await dead(bench, handler, "order")
        handler.mended = True
        result = await service_of(bench).replay("order", letter, replayed_by="ops")
        assert (result.outcome, result.problem) == (ReplayOutcome.REPLAYED, None)
        assert bench.broker.depth("work") == 1
        await work_off(bench, handler)
        await check_replayed_once(bench, "order")
        assert ("dlq:order:1", "replayed_as", "task-attempt:order:2") in edges(await bench.graph("order"))
        [mark] = [e for e in await bench.events("order") if isinstance(e.body, DeadLetterReplayed)]
        assert (mark.body.replayed_by, mark.body.routing_key, mark.body.exchange) == ("ops", "work", "")
        again = await service_of(bench).replay("order", letter)
        assert (again.outcome, again.plan.reasons[0].code) == (ReplayOutcome.REFUSED, "handled")
        assert bench.broker.depth("work") == 0


async def test_a_replay_that_dies_again_is_a_second_letter_and_loops_are_stopped() -> None:
    handler = Works()
    async with bench_of() as bench:
        await dead(bench, handler, "order")
        for _ in range(2):
            result = await service_of(bench, same_failure_limit=2).replay(
                "order", await newest(bench, "order")
            )
            assert result.outcome is ReplayOutcome.REPLAYED
            await work_off(bench, handler)
        graph = await bench.graph("order")
        assert letter_states(graph) == ["replayed", "replayed", "dead_lettered"]
        third = await newest(bench, "order")
        stopped = await service_of(bench, same_failure_limit=2).replay("order", third)
        assert (stopped.outcome, stopped.plan.reasons[0].code) == (ReplayOutcome.REFUSED, "same_failure")
        handler.mended = True
        forced = await service_of(bench, same_failure_limit=2).replay("order", third, force=True)
        assert (forced.outcome, forced.plan.replay_count) == (ReplayOutcome.REPLAYED, 3)
        await work_off(bench, handler)
        assert attempts(await bench.graph("order"))[-1] == ("acked", "succeeded")
        assert handler.handled == {"order": 1}


async def test_a_replay_has_all_its_retries_again() -> None:
    handler, policy = Works(), RetryPolicy(max_retries=1, delay_ms=1_000)
    async with bench_of() as bench:
        consumer = consumer_of(bench, handler, policy)
        await bench.work_off(consumer, publish=lambda: bench.client.publish_task("order"), retries=1)
        assert (await service_of(bench).replay("order", await newest(bench, "order"))).problem is None
        async with bench.working(consumer_of(bench, handler, policy)):
            await bench.settled()
            waiting = await service_of(bench).plan("order", await first(bench))
            assert [note.code for note in waiting.reasons] == ["in_flight"]
            handler.mended = True
            bench.clock.advance(2)
            await bench.settled()
        ends = [outcome for outcome, _ in attempts(await bench.graph("order"))]
        assert ends == ["retried", "dead_lettered", "retried", "acked"]


async def first(bench: Bench) -> str:
    return str((await service_of(bench).list_dead_letters("order"))[0]["dead_letter_id"])


@pytest.mark.parametrize("same_process", [True, False])
@pytest.mark.parametrize("working", [True, False])
async def test_fifty_who_replay_one_letter_at_once(same_process: bool, working: bool) -> None:
    handler = Works()
    async with bench_of() as bench:
        [letter] = await dead(bench, handler, "order")
        handler.mended = True
        shared = service_of(bench)
        outcomes: Counter[ReplayOutcome] = Counter()

        async def replay() -> None:
            result = await (shared if same_process else service_of(bench)).replay("order", letter)
            outcomes[result.outcome] += 1

        async def race() -> None:
            async with anyio.create_task_group() as racing:
                for _ in range(50):
                    racing.start_soon(replay)

        if working:
            async with bench.working(consumer_of(bench, handler)):
                await race()
                await bench.settled()
        else:
            await race()
            await work_off(bench, handler)
        assert outcomes.keys() <= {ReplayOutcome.REPLAYED, ReplayOutcome.REFUSED}
        assert outcomes[ReplayOutcome.REPLAYED] >= 1
        assert not same_process or outcomes[ReplayOutcome.REPLAYED] == 1
        assert handler.handled == {"order": 1}
        await check_replayed_once(bench, "order")


STEPS: Final = (
    "dies before the publish",
    "dies after the publish",
    "unconfirmed and published",
    "unconfirmed and nowhere",
    "not connected",
    "the log is away",
    "the log's answer is lost",
    "dies at the end",
)


def unconfirmed_and_nowhere(exchange: str, routing_key: str) -> Exception:
    return OutcomeUnknown(exchange, routing_key, 10.0)


async def broken_replay(bench: Bench, log: FaultyLog, task_id: str, letter: str, step: str) -> None:
    """One replay, by a process of its own, that breaks at this step."""
    broker = bench.broker
    assert isinstance(broker, DyingBroker)
    service = DLQService(store=DLQStore(log, clock=bench.workers_clock), broker=broker)
    expected: tuple[type[Exception], ...] = ()
    match step:
        case "dies before the publish":
            broker.dying, expected = "before", (Killed,)
        case "dies after the publish":
            broker.dying, expected = "after", (Killed,)
        case "unconfirmed and published":
            broker.faults[broker.publishes] = PUBLISH_FAULTS["unknown"]
        case "unconfirmed and nowhere":
            broker.faults[broker.publishes] = unconfirmed_and_nowhere
        case "not connected":
            broker.faults[broker.publishes], expected = PUBLISH_FAULTS["disconnected"], (Disconnected,)
        case "the log is away":
            log.unreachable = True
        case "the log's answer is lost":
            log.lost_replies = 1
    try:
        result = await service.replay(task_id, letter)
    except expected:
        pass
    else:
        assert not expected, step
        unknown_or_not = {"unconfirmed": ReplayOutcome.UNKNOWN, "the": ReplayOutcome.UNMARKED}
        assert result.outcome is unknown_or_not.get(step.split(maxsplit=1)[0], ReplayOutcome.REPLAYED)
    log.unreachable, log.lost_replies = False, 0


async def replay_until_told(bench: Bench, task_id: str, letter: str) -> None:
    """What somebody does who was told that it did not work, or nothing at all: the same again."""
    result = await service_of(bench).replay(task_id, letter)
    assert result.outcome in (ReplayOutcome.REPLAYED, ReplayOutcome.REFUSED), result.problem
    assert {note.code for note in result.plan.reasons} <= {"in_flight", "handled"}


@pytest.mark.fault
@pytest.mark.parametrize("worked_off_between", [True, False])
@pytest.mark.parametrize("step", STEPS)
async def test_a_crash_at_any_step_and_the_same_again(step: str, worked_off_between: bool) -> None:
    handler = Works()
    async with bench_of() as bench:
        [letter] = await dead(bench, handler, "order")
        handler.mended = True
        await broken_replay(bench, FaultyLog(bench.log), "order", letter, step)
        if worked_off_between:
            await work_off(bench, handler)
        await replay_until_told(bench, "order", letter)
        await work_off(bench, handler)
        assert handler.handled == {"order": 1}
        await check_replayed_once(bench, "order")


@pytest.mark.fault
async def test_many_letters_each_with_its_crashes_and_races(
    record_property: Callable[[str, object], None],
) -> None:
    """Redrives with a crash at each step and racing redrives, at a tenth of their size: lost 0, doubled 0."""
    chance, handler = random.Random(20), Works()
    task_ids = [f"task-{number}" for number in range(100)]
    async with bench_of() as bench:
        letters = await dead(bench, handler, *task_ids)
        handler.mended = True
        log = FaultyLog(bench.log)
        for task_id, letter in zip(task_ids, letters, strict=True):
            for _ in range(chance.randrange(3)):
                step = chance.choice(STEPS)
                plan = await service_of(bench).plan(task_id, letter)
                if plan.allowed and plan.published_by is None:
                    await broken_replay(bench, log, task_id, letter, step)
                if chance.random() < 0.2:
                    await work_off(bench, handler)
        async with bench.working(consumer_of(bench, handler)), anyio.create_task_group() as racing:
            for task_id, letter in zip(task_ids, letters, strict=True):
                for _ in range(chance.randint(1, 5)):
                    racing.start_soon(replay_until_told, bench, task_id, letter)
        await work_off(bench, handler)
        record_property("letters_lost", len(task_ids) - len(handler.handled))
        record_property("letters_doubled", sum(handler.handled.values()) - len(handler.handled))
        assert handler.handled == dict.fromkeys(task_ids, 1)
        for task_id in task_ids:
            await check_replayed_once(bench, task_id)


async def test_a_queue_that_is_gone_is_told_and_nothing_is_recorded() -> None:
    handler = Works()
    async with bench_of() as bench:
        [letter] = await dead(bench, handler, "order")
        broker = bench.broker
        assert isinstance(broker, DyingBroker)
        broker.faults[broker.publishes] = PUBLISH_FAULTS["unroutable"]
        with pytest.raises(Unroutable):
            await service_of(bench).replay("order", letter)
        assert (await service_of(bench).plan("order", letter)).allowed


async def test_looking_leaves_the_queue_as_it_is() -> None:
    handler = Works()
    async with bench_of() as bench:
        [letter] = await dead(bench, handler, "order")
        service = DLQService(store=DLQStore(bench.log, clock=bench.workers_clock))
        before = len(await bench.events("order"))
        for _ in range(100):
            assert len(await service.list_dead_letters("order")) == 1
            assert (await service.get_dead_letter("order", letter))["dead_letter_id"] == letter
            assert (await service.plan("order", letter)).allowed
        assert len(await bench.events("order")) == before
        async with bench.broker.consume("work.dead_letters", prefetch=2) as subscription:
            delivery = await anext(aiter(subscription))
            assert not delivery.redelivered
            assert bench.broker.depth("work.dead_letters") == 0
        with pytest.raises(InvalidSetting, match="broker"):
            await service.replay("order", letter)


async def test_a_body_that_was_cut_is_not_replayed() -> None:
    async with bench_of() as bench:
        await bench.work_off(
            consumer_of(bench, Works()), publish=lambda: bench.client.publish_task("order", "x" * 50_000)
        )
        result = await service_of(bench).replay("order", await newest(bench, "order"), force=True)
        assert (result.outcome, result.plan.reasons[0].code) == (ReplayOutcome.REFUSED, "body_cut")
        assert bench.broker.depth("work") == 0
