"""Dead letters replayed through real consumers: nothing lost, nothing handled twice, whatever breaks between."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import anyio
import pytest
from consumer.bench import Bench, attempts, edges
from consumer.faults import PUBLISH_FAULTS
from observability.mortal import Killed, Life, MortalBroker, MortalLog
from streams.faulty_log import FaultyLog

from relayna.clock import FrozenClock, SkewedClock
from relayna.consumer import (
    DeadLetterRecorder,
    MemoryBroker,
    RetryPolicy,
    TaskConsumer,
    TaskContext,
    TaskEnvelope,
)
from relayna.errors import Disconnected, InvalidSetting, OutcomeUnknown, StoreError, Unroutable
from relayna.events import (
    DeadLetterRecorded,
    DeadLetterReplayClaimed,
    DeadLetterReplayed,
    TaskMessageReceived,
)
from relayna.observability import DLQService, ReplayOutcome, ReplayPlan, ReplayResult
from relayna.observability.dead_letter_store import DLQStore
from relayna.projections.graph import ExecutionGraph

pytestmark = pytest.mark.anyio

AT_ONCE: Final = RetryPolicy(max_retries=0)


class Works:
    """A handler that fails until it is mended."""

    def __init__(self) -> None:
        self.mended = False
        self.handled: Counter[str] = Counter()

    async def __call__(self, task: TaskEnvelope, context: TaskContext) -> None:
        if not self.mended:
            raise KeyError("total")
        self.handled[task.task_id] += 1


def bench_of(
    broker: Callable[[FrozenClock], MemoryBroker] = lambda clock: MortalBroker(clock=clock),
) -> Bench:
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
        published = bench.broker.publishes  # type: ignore[attr-defined]

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
            assert bench.broker.publishes == published + 1  # type: ignore[attr-defined]
            await work_off(bench, handler)
        assert outcomes == {ReplayOutcome.REPLAYED: 1, ReplayOutcome.REFUSED: 49}
        assert handler.handled == {"order": 1}
        await check_replayed_once(bench, "order")


CLAIM_SECONDS: Final = 61
"""More than the claims of `service_of` hold."""
DEATHS: Final = tuple(f"dies at {number}" for number in range(14))
"""Before and after each of: reading, saying who asks, claiming, reading again, publishing, marking, saying the end."""
STEPS: Final = (
    *DEATHS,
    "unconfirmed and published",
    "unconfirmed and nowhere",
    "not connected",
    "the audit is not taken",
    "the audit's answer is lost",
    "the claim is not taken",
    "the claim's answer is lost",
    "the mark is not taken",
    "the mark's answer is lost",
)


def unconfirmed_and_nowhere(exchange: str, routing_key: str) -> Exception:
    return OutcomeUnknown(exchange, routing_key, 10.0)


class TroubledClaims(DLQStore):
    """Before a claim something happens."""

    at_claim: Callable[[], object]

    async def add_claim(self, plan: ReplayPlan, claim_id: str, **options: Any) -> None:
        self.at_claim()
        await super().add_claim(plan, claim_id, **options)


async def broken_replay(bench: Bench, task_id: str, letter: str, step: str) -> None:
    """One replay, by a process of its own, that breaks at this step."""
    broker, expected = bench.broker, None
    assert isinstance(broker, MortalBroker)
    log, life = FaultyLog(bench.log), Life()
    at_claim: Callable[[], object] = list
    match step:
        case "unconfirmed and published":
            broker.faults[broker.publishes], expected = PUBLISH_FAULTS["unknown"], ReplayOutcome.UNKNOWN
        case "unconfirmed and nowhere":
            broker.faults[broker.publishes], expected = unconfirmed_and_nowhere, ReplayOutcome.UNKNOWN
        case "not connected":
            broker.faults[broker.publishes] = PUBLISH_FAULTS["disconnected"]
        case "the audit is not taken":
            log.unreachable = True
        case "the audit's answer is lost":
            log.lost_replies = 1
        case "the claim is not taken":
            at_claim = partial(setattr, log, "unreachable", True)
        case "the claim's answer is lost":
            at_claim = partial(setattr, log, "lost_replies", 1)
        case "the mark is not taken":
            broker.when_published, expected = (
                partial(setattr, log, "unreachable", True),
                ReplayOutcome.UNMARKED,
            )
        case "the mark's answer is lost":
            broker.when_published, expected = partial(setattr, log, "lost_replies", 1), ReplayOutcome.UNMARKED
        case _:
            life = Life(int(step.removeprefix("dies at ")))
    broker.life = life
    store = TroubledClaims(MortalLog(log, life), clock=bench.workers_clock)
    store.at_claim = at_claim
    service = DLQService(store=store, broker=broker)
    try:
        result = await service.replay(task_id, letter)
    except (Killed, StoreError, Disconnected):
        assert expected is None, step
    else:
        assert result.outcome is expected, step
    finally:
        broker.life, broker.when_published = Life(), None


async def replay_until_told(bench: Bench, task_id: str, letter: str) -> None:
    """What somebody does who was told that it did not work, or nothing at all: the same again."""
    result = await service_of(bench).replay(task_id, letter)
    assert result.outcome in (ReplayOutcome.REPLAYED, ReplayOutcome.REFUSED), result.problem
    assert {note.code for note in result.plan.reasons} <= {"in_flight", "handled", "claimed"}


async def test_a_replay_has_fourteen_places_to_die_at() -> None:
    async with bench_of() as bench:
        [letter] = await dead(bench, Works(), "order")
        assert isinstance(bench.broker, MortalBroker)
        life = bench.broker.life = Life()
        store = DLQStore(MortalLog(bench.log, life), clock=bench.workers_clock)
        await DLQService(store=store, broker=bench.broker).replay("order", letter)
        assert life.steps == len(DEATHS)


@pytest.mark.fault
@pytest.mark.parametrize("worked_off_between", [True, False])
@pytest.mark.parametrize("step", STEPS)
async def test_a_crash_at_any_step_and_the_same_again(step: str, worked_off_between: bool) -> None:
    handler = Works()
    async with bench_of() as bench:
        [letter] = await dead(bench, handler, "order")
        handler.mended = True
        await broken_replay(bench, "order", letter, step)
        if worked_off_between:
            await work_off(bench, handler)
        await replay_until_told(bench, "order", letter)
        bench.clock.advance(CLAIM_SECONDS)
        await replay_until_told(bench, "order", letter)
        await work_off(bench, handler)
        assert handler.handled == {"order": 1}
        await check_replayed_once(bench, "order")


async def test_a_claim_is_taken_over_when_it_has_run_out_and_by_one_only() -> None:
    handler = Works()
    async with bench_of() as bench:
        [letter] = await dead(bench, handler, "order")
        handler.mended = True
        await broken_replay(bench, "order", letter, "dies at 9")  # after the publish
        assert bench.broker.depth("work") == 1
        for force in (False, True):
            refused = await service_of(bench).replay("order", letter, force=force)
            assert [note.code for note in refused.plan.reasons] == ["claimed"]
        bench.clock.advance(CLAIM_SECONDS)
        results: list[ReplayResult] = []

        async def replay() -> None:
            results.append(await service_of(bench).replay("order", letter))

        async with anyio.create_task_group() as racing:
            for _ in range(20):
                racing.start_soon(replay)
        [done] = [result for result in results if result.outcome is ReplayOutcome.REPLAYED]
        assert [note.code for note in done.plan.warnings] == ["claimed_before"]
        assert bench.broker.depth("work") == 2
        await work_off(bench, handler)
        assert handler.handled == {"order": 1}
        await check_replayed_once(bench, "order")


@pytest.mark.parametrize("seconds", [-3_600, -30, 3_600])
async def test_a_wrong_clock_neither_breaks_a_claim_nor_keeps_it(seconds: float) -> None:
    """Whoever thinks that it is earlier or later: the store's times decide."""
    handler = Works()
    async with bench_of() as bench:
        [letter] = await dead(bench, handler, "order")
        handler.mended = True
        await broken_replay(bench, "order", letter, "dies at 6")  # after the claim
        store = DLQStore(bench.log, clock=SkewedClock(bench.workers_clock, seconds=seconds))
        wrong = DLQService(store=store, broker=bench.broker)
        refused = await wrong.replay("order", letter)
        assert [note.code for note in refused.plan.reasons] == ["claimed"]
        bench.clock.advance(2 * CLAIM_SECONDS)
        assert (await wrong.replay("order", letter)).outcome is ReplayOutcome.REPLAYED
        await work_off(bench, handler)
        assert handler.handled == {"order": 1}


async def test_who_speaks_too_late_withdraws_the_claim() -> None:
    """Between the plan and the claim the message is handled after all: by the letter's own worker, say."""
    async with bench_of() as bench:
        [letter] = await dead(bench, Works(), "order")
        service = service_of(bench)
        replayed = DLQStore.add_claim

        class Late(DLQStore):
            async def add_claim(self, plan: ReplayPlan, claim_id: str, **options: Any) -> None:
                if not options.get("withdrawn"):
                    await self.add_replay(plan, timestamp=self.clock.now())
                await replayed(self, plan, claim_id, **options)

        late = DLQService(store=Late(bench.log, clock=bench.workers_clock), broker=bench.broker)
        refused = await late.replay("order", letter)
        assert [note.code for note in refused.plan.reasons] == ["in_flight"]
        claims = [e.body for e in await bench.events("order") if isinstance(e.body, DeadLetterReplayClaimed)]
        assert [claim.withdrawn for claim in claims] == [False, True]
        assert (await service.replay("order", letter, force=True)).outcome is ReplayOutcome.REPLAYED


async def test_a_forced_replay_that_was_overtaken_is_refused() -> None:
    """It claimed the first replay, which was marked meanwhile; it must not send the second unclaimed."""
    async with bench_of() as bench:
        [letter] = await dead(bench, Works(), "order")
        claimed = DLQStore.add_claim

        class Overtaken(DLQStore):
            async def add_claim(self, plan: ReplayPlan, claim_id: str, **options: Any) -> None:
                await self.add_replay(plan, timestamp=self.clock.now())
                await claimed(self, plan, claim_id, **options)

        store = Overtaken(bench.log, clock=bench.workers_clock)
        refused = await DLQService(store=store, broker=bench.broker).replay("order", letter, force=True)
        assert [note.code for note in refused.plan.reasons] == ["claimed"]
        assert bench.broker.depth("work") == 0


async def test_claims_leave_no_trace_in_a_graph() -> None:
    handler = Works()
    async with bench_of() as bench:
        [letter] = await dead(bench, handler, "order")
        before = await bench.graph("order")
        await broken_replay(bench, "order", letter, "not connected")
        await broken_replay(bench, "order", letter, "dies at 6")
        assert await bench.graph("order") == before


async def test_a_claim_cannot_last_less_than_no_time() -> None:
    async with bench_of() as bench:
        with pytest.raises(InvalidSetting, match="claim_seconds"):
            service_of(bench, claim_seconds=-1)


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
        for _ in range(2):
            for task_id, letter in zip(task_ids, letters, strict=True):
                plan = await service_of(bench).plan(task_id, letter)
                if plan.allowed and plan.published_by is None:
                    await broken_replay(bench, task_id, letter, chance.choice(STEPS))
                if chance.random() < 0.2:
                    await work_off(bench, handler)
            bench.clock.advance(CLAIM_SECONDS)
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
        assert isinstance(broker, MortalBroker)
        broker.faults[broker.publishes] = PUBLISH_FAULTS["unroutable"]
        with pytest.raises(Unroutable):
            await service_of(bench).replay("order", letter)
        assert (await service_of(bench).plan("order", letter)).allowed


async def test_a_letter_that_its_worker_and_the_recorder_recorded_is_listed_once() -> None:
    async with bench_of() as bench:
        recorder = DeadLetterRecorder(rabbitmq=bench.client)
        async with bench.working(recorder):
            [letter] = await dead(bench, Works(), "order")
            await bench.broker.idle(resting=["work.dead_letters", "statuses.all"], ignore_delayed=True)
        kept = [e for e in await bench.events("order") if isinstance(e.body, DeadLetterRecorded)]
        ids = {f"{letter}.dead_letter", f"{letter}.recorded"}
        assert {event.envelope.event_id for event in kept} == ids
        [listed] = await service_of(bench).list_dead_letters("order")
        assert (listed["dead_letter_id"], listed["exception_type"]) == (letter, "KeyError")
        assert (await service_of(bench).replay("order", letter)).outcome is ReplayOutcome.REPLAYED
        [listed] = await service_of(bench).list_dead_letters("order")
        assert listed["replay_count"] == 1


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
