"""What handlers say for lineage while it is switched on, word by word."""

from __future__ import annotations

from typing import Any

import pytest
from consumer.bench import QUICK, Bench, attempts

from relayna.consumer import AttemptOver, TaskConsumer, TaskContext, TaskEnvelope
from relayna.errors import InvalidQuery
from relayna.events import DecisionRecorded, RunEdgeRecorded, UsageRecorded
from relayna.observability.lineage_service import LineageService
from relayna.projections.trace.plain import plain_history
from relayna.projections.trace.profile import analyse

pytestmark = pytest.mark.anyio


async def pay(task: TaskEnvelope, context: TaskContext) -> None:
    """`order` pays, fails once and signals `refund`."""
    if task.task_id != "order":
        return
    context.record_usage(cost=100, tokens=7, label="quote")
    if context.retry_attempt == 0:
        raise TimeoutError
    context.signal("refund", label="paid twice")
    context.callback(label="bank")
    context.record_decision("allow")
    await context.sleep(1)
    await context.ask_user(agreed())


async def agreed() -> str:
    return "yes"


async def work_off(bench: Bench, handler: Any = pay) -> None:
    async def publish() -> None:
        await bench.client.publish_task("order")
        await bench.client.publish_task("refund")

    consumer = TaskConsumer(rabbitmq=bench.client, handler=handler, retry_policy=QUICK)
    await bench.work_off(consumer, publish=publish, retries=1)
    await bench.recorder.durable()


async def test_each_attempt_pays_for_itself_and_a_signal_is_known_on_both_sides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RELAYNA_LINEAGE_EMIT", "1")
    async with Bench() as bench:
        await work_off(bench)
        service = LineageService(log=bench.log)
        down, up = await service.downstream("order"), await service.upstream("refund")
        session = await service.session("order")
        graph = await bench.graph("order")
    assert [(edge.kind, edge.target_run, edge.label) for edge in down.edges] == [
        ("retry", "order", None),
        ("signal_fire", "refund", "paid twice"),
        ("timer_fire", "order", None),
        ("ctx_ask_user", "order", None),
    ]
    assert [(hop.edge.kind, hop.edge.source_run) for hop in up.hops] == [
        ("signal_fire", "order"),
        ("user_start", None),
        ("retry", "order"),
    ]
    costs = {edge.kind: (edge.cost_attributed, edge.tokens_attributed) for edge in session.edges}
    assert costs["user_start"] == costs["retry"] == (100, 7)
    assert graph.summary.graph_completeness == "full"


async def test_nothing_is_recorded_while_it_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RELAYNA_LINEAGE_EMIT", raising=False)
    async with Bench() as bench:
        await work_off(bench)
        told = [*await bench.events("order"), *await bench.events("refund")]
    assert [
        one for one in told if isinstance(one.body, RunEdgeRecorded | UsageRecorded | DecisionRecorded)
    ] == []
    assert bench.workers_clock.pauses == [1]


async def act_once(act: Any, *, counted: int = 0) -> list[Any]:
    """Have `order` do this, and return what its history then holds."""

    async def handler(task: TaskEnvelope, context: TaskContext) -> None:
        if task.task_id == "order":
            await act(context)

    async with Bench() as bench:
        await work_off(bench, handler)
        assert bench.counters["relayna_lineage_emission_failures_total"] == counted
        graph = await bench.graph("order")
        assert attempts(graph) == [("acked", "succeeded")]
        assert graph.summary.graph_completeness == "full"
        return [one.body for one in await bench.events("order")]


@pytest.fixture
def emits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYNA_LINEAGE_EMIT", "1")


@pytest.mark.usefixtures("emits")
async def test_a_timer_an_answer_and_a_callback_are_of_the_run_itself() -> None:
    async def act(context: TaskContext) -> None:
        await context.sleep(3, label="cool down")
        assert await context.ask_user(agreed(), label="really?") == "yes"
        metadata = {"transfer": 7}
        context.callback(label="bank", metadata=metadata)
        metadata["transfer"] = 8

    told = [body for body in await act_once(act) if isinstance(body, RunEdgeRecorded)]
    assert [(edge.kind, edge.source_run, edge.target_run, edge.label) for edge in told] == [
        ("timer_fire", "order", "order", "cool down"),
        ("ctx_ask_user", "order", "order", "really?"),
        ("domain_callback", None, "order", "bank"),
    ]
    assert (told[2].wakes, told[2].metadata) == (True, {"transfer": 7})


@pytest.mark.usefixtures("emits")
async def test_how_long_a_user_let_the_handler_wait_is_told_and_is_no_work() -> None:
    async def handler(task: TaskEnvelope, context: TaskContext) -> None:
        async def after_a_minute() -> None:
            bench.clock.advance(60)

        if task.task_id == "order":
            await context.ask_user(after_a_minute())

    async with Bench() as bench:
        await work_off(bench, handler)
        events = await bench.events("order")
    [edge] = [event.body for event in events if isinstance(event.body, RunEdgeRecorded)]
    assert 60_000 <= (edge.metadata or {})["waited_ms"] < 61_000
    path = analyse(plain_history("order", events)).critical_path
    assert path is not None
    assert path.active_wait_breakdown.active_seconds[0] < 1


@pytest.mark.usefixtures("emits")
async def test_a_user_who_does_not_answer_is_passed_on_and_not_recorded() -> None:
    async def refuses() -> str:
        raise LookupError("gone home")

    async def act(context: TaskContext) -> None:
        with pytest.raises(LookupError, match="gone home"):
            await context.ask_user(refuses())

    assert not any(isinstance(body, RunEdgeRecorded) for body in await act_once(act))


@pytest.mark.usefixtures("emits")
async def test_decisions_are_recorded_as_they_are_made() -> None:
    async def act(context: TaskContext) -> None:
        for action in ("allow", "skip", "warn", "retry", "redact", "throttle", "block"):
            context.record_decision(action, rule="budget", reason="dear")

    told = [body for body in await act_once(act) if isinstance(body, DecisionRecorded)]
    assert [one.action for one in told] == ["allow", "skip", "warn", "retry", "redact", "throttle", "block"]
    assert {(one.rule, one.reason) for one in told} == {("budget", "dear")}


@pytest.mark.usefixtures("emits")
async def test_the_second_birth_of_a_run_is_not_recorded_but_its_message_is() -> None:
    async def act(context: TaskContext) -> None:
        context.signal("refund")
        context.signal("refund")
        await context.spawn(task_id="refund", session_id="elsewhere")

    told = await act_once(act, counted=1)
    assert [body.kind for body in told if isinstance(body, RunEdgeRecorded)] == ["signal_fire", "signal_fire"]
    assert [type(body).__name__ for body in told].count("ChildRegistered") == 1


@pytest.mark.usefixtures("emits")
async def test_a_birth_is_one_only_once_it_happens() -> None:
    """What a failing handler held back was not born, so another may give birth to it."""

    async def handler(task: TaskEnvelope, context: TaskContext) -> None:
        if task.task_id == "order":
            await context.spawn(task_id="parcel")
            raise ValueError("no")
        if task.task_id == "refund":
            await context.spawn(task_id="parcel")

    async with Bench() as bench:
        await work_off(bench, handler)
        assert bench.counters == {}
        why = await LineageService(log=bench.log).why("parcel")
    assert [(hop.edge.kind, hop.edge.source_run) for hop in why.births] == [
        ("spawn", "refund"),
        ("user_start", None),
    ]


@pytest.mark.usefixtures("emits")
async def test_nothing_is_said_once_the_attempt_is_over() -> None:
    kept: list[TaskContext] = []

    async def act(context: TaskContext) -> None:
        kept.append(context)

    await act_once(act)
    [context] = kept
    for say in (context.record_usage, context.callback, lambda: context.signal("refund")):
        with pytest.raises(AttemptOver):
            say()
    with pytest.raises(AttemptOver):
        context.record_decision("allow")
    for wait in (context.sleep(0), context.suspend(["refund"])):
        with pytest.raises(AttemptOver):
            await wait


WRONG: dict[str, Any] = {
    "label": lambda context: context.signal("refund", label=""),
    "task_id": lambda context: context.signal(7),
    "run_id": lambda context: context.signal("order"),
    "metadata": lambda context: context.callback(metadata={"of": {1}}),
    "seconds": lambda context: context.sleep(-1),
    "answer": lambda context: context.ask_user("yes"),
}


@pytest.mark.usefixtures("emits")
@pytest.mark.parametrize("parameter", WRONG)
async def test_words_that_make_no_sense_are_refused_and_counted(parameter: str) -> None:
    async def act(context: TaskContext) -> None:
        with pytest.raises(InvalidQuery) as caught:
            await WRONG[parameter](context)
        assert caught.value.parameter == parameter

    assert not any(isinstance(body, RunEdgeRecorded) for body in await act_once(act, counted=1))


@pytest.mark.parametrize(
    ("decision", "parameter"), [({"action": "applaud"}, "action"), ({"action": "warn", "rule": ""}, "rule")]
)
async def test_what_is_no_decision_is_refused(decision: dict[str, Any], parameter: str) -> None:
    async def act(context: TaskContext) -> None:
        with pytest.raises(InvalidQuery) as caught:
            context.record_decision(**decision)
        assert caught.value.parameter == parameter

    await act_once(act)


@pytest.mark.parametrize("wrong", [{"cost": -1}, {"tokens": 1.5}, {"cost": True}, {"tokens": 2**53}])
async def test_what_is_no_count_is_refused(wrong: dict[str, Any]) -> None:
    refused: list[InvalidQuery] = []

    async def handler(task: TaskEnvelope, context: TaskContext) -> None:
        with pytest.raises(InvalidQuery) as raised:
            context.record_usage(**wrong)
        refused.append(raised.value)

    async with Bench() as bench:
        await work_off(bench, handler)
    assert {error.parameter for error in refused} == set(wrong)
