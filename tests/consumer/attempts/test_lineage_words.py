"""What handlers say for lineage: usage and signals, while it is switched on."""

from __future__ import annotations

from typing import Any

import pytest
from consumer.bench import QUICK, Bench

from relayna.consumer import TaskConsumer, TaskContext, TaskEnvelope
from relayna.errors import InvalidQuery
from relayna.events import RunEdgeRecorded, UsageRecorded
from relayna.observability.lineage_service import LineageService

pytestmark = pytest.mark.anyio


async def pay(task: TaskEnvelope, context: TaskContext) -> None:
    """`order` pays, fails once and signals `refund`."""
    if task.task_id != "order":
        return
    context.record_usage(cost=100, tokens=7, label="quote")
    if context.retry_attempt == 0:
        raise TimeoutError
    context.signal("refund", label="paid twice")


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
    assert [one for one in told if isinstance(one.body, RunEdgeRecorded | UsageRecorded)] == []


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
