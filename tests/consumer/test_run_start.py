"""Runs that are started and woken from outside any attempt: what is told of it, and in whose histories."""

from __future__ import annotations

from typing import Any

import pytest
from consumer.bench import Bench

from relayna.consumer import RunStart, TaskConsumer, TaskEnvelope, TaskRequest
from relayna.errors import InvalidQuery
from relayna.events import RunEdgeRecorded
from relayna.observability.lineage_service import LineageService

pytestmark = pytest.mark.anyio

SIGNAL = RunStart(kind="signal_fire", source_run="order", label="paid twice", metadata={"euros": 7})
CALLBACK = RunStart(kind="domain_callback", label="bank")


@pytest.fixture(autouse=True)
def emits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYNA_LINEAGE_EMIT", "1")


async def edges_told(bench: Bench, run: str) -> list[tuple[str, str | None, str, bool]]:
    bodies = [event.body for event in await bench.events(run)]
    edges = [body for body in bodies if isinstance(body, RunEdgeRecorded)]
    return [(edge.kind, edge.source_run, edge.target_run, edge.wakes) for edge in edges]


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (None, []),
        (RunStart(kind="user_start"), []),
        (RunStart(kind="signal_fire"), []),
        (RunStart(kind="user_start", label="by hand"), [("user_start", None, "refund", False)]),
        (RunStart(kind="signal_fire", metadata={"why": 1}), [("user_start", None, "refund", False)]),
        (CALLBACK, [("domain_callback", None, "refund", False)]),
        (SIGNAL, [("signal_fire", "order", "refund", False)]),
    ],
)
async def test_what_is_told_of_a_start(start: RunStart | None, told: list[Any]) -> None:
    async with Bench() as bench:
        await bench.client.publish_task("refund", parent_task_id="case", session_id="s", started_by=start)
        assert await edges_told(bench, "refund") == told
        assert await edges_told(bench, "order") == [edge for edge in told if edge[1] == "order"]
        [message] = await bench.messages("work")
        # A given parent and session stay; a signal makes nobody a parent.
        assert message.headers["x-relayna-parent-task-id"] == "case"
        assert message.headers["x-relayna-session-id"] == "s"
        envelopes = {event.envelope.session_id for event in await bench.events("refund")}
        births = (await LineageService(log=bench.log).why("refund")).births
    assert envelopes == {"s"}
    assert births[0].edge.kind == (told[0][0] if told else "span_tree_fallback")
    assert bench.counters == {}


async def test_a_signalled_run_has_no_parent_and_a_session_of_its_own() -> None:
    async with Bench() as bench:
        await bench.client.publish_task("refund", started_by=SIGNAL)
        [message] = await bench.messages("work")
        await bench.recorder.durable()
        down = await LineageService(log=bench.log).downstream("order")
    assert "x-relayna-parent-task-id" not in message.headers
    assert message.headers["x-relayna-session-id"] == "refund"
    [edge] = down.edges
    assert (edge.kind, edge.target_run, edge.session_id) == ("signal_fire", "refund", "refund")
    assert (edge.label, edge.metadata) == ("paid twice", {"euros": 7})


async def test_each_of_many_and_each_of_a_batch_has_its_own() -> None:
    tasks = [
        TaskRequest(task_id="a", started_by=CALLBACK),
        TaskRequest(task_id="b", started_by=SIGNAL),
        TaskRequest(task_id="c"),
    ]
    for publish in ("publish_tasks", "publish_batch"):
        async with Bench() as bench:
            await getattr(bench.client, publish)(tasks)
            told = [await edges_told(bench, run) for run in ("a", "b", "c")]
        assert told == [
            [("domain_callback", None, "a", False)],
            [("signal_fire", "order", "b", False)],
            [],
        ]


async def test_published_again_it_is_the_same_birth() -> None:
    async with Bench() as bench:
        message_id = await bench.client.publish_task("refund", started_by=SIGNAL)
        await bench.client.publish_task("refund", started_by=SIGNAL, message_id=message_id)
        assert await edges_told(bench, "refund") == [("signal_fire", "order", "refund", False)]
        assert bench.counters == {}


async def test_a_second_birth_is_published_and_not_told() -> None:
    async with Bench() as bench:
        await bench.client.publish_task("refund", started_by=SIGNAL)
        await bench.client.publish_task("refund", started_by=CALLBACK)
        assert await edges_told(bench, "refund") == [("signal_fire", "order", "refund", False)]
        assert len(await bench.messages("work")) == 2
        assert bench.counters == {"relayna_lineage_emission_failures_total": 1}


async def test_a_callback_wakes_a_run_without_a_message() -> None:
    async def nothing(task: TaskEnvelope, context: Any) -> None:
        pass

    async with Bench() as bench:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=nothing)
        await bench.work_off(consumer, publish=lambda: bench.client.publish_task("order"))
        for _ in range(2):
            bench.client.record_callback("order", label="bank", metadata={"transfer": 7})
        assert await edges_told(bench, "order") == [("domain_callback", None, "order", True)] * 2
        session = await LineageService(log=bench.log).session("order")
    assert [(edge.kind, edge.is_birth, edge.label) for edge in session.edges] == [
        ("user_start", True, None),
        ("domain_callback", False, "bank"),
        ("domain_callback", False, "bank"),
    ]


async def test_off_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RELAYNA_LINEAGE_EMIT")
    async with Bench() as bench:
        await bench.client.publish_task("refund", started_by=SIGNAL)
        bench.client.record_callback("refund")
        assert await bench.told("refund") == ["TaskPublished"]
        assert await bench.told("order") == []


async def test_without_a_sink_it_is_counted() -> None:
    async with Bench(sink=lambda _: None) as bench:
        await bench.client.publish_task("refund", started_by=SIGNAL)
        bench.client.record_callback("refund")
        assert bench.counters == {"relayna_lineage_emission_failures_total": 2}


@pytest.mark.parametrize(
    ("wrong", "parameter"),
    [
        ({"kind": "spawn"}, "kind"),
        ({"kind": "user_start", "source_run": "order"}, "source_run"),
        ({"kind": "signal_fire", "source_run": ""}, "task_id"),
        ({"kind": "user_start", "label": ""}, "label"),
        ({"kind": "user_start", "label": "x" * 501}, "label"),
        ({"kind": "user_start", "label": 7}, "label"),
        ({"kind": "user_start", "metadata": {"at": object()}}, "metadata"),
        ({"kind": "user_start", "metadata": 7}, "metadata"),
        ({"kind": "user_start", "metadata": {"of": {1, 2}}}, "metadata"),
        ({"kind": "user_start", "metadata": {"deep": [{"of": b"1"}]}}, "metadata"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any], parameter: str) -> None:
    with pytest.raises(InvalidQuery) as caught:
        RunStart(**wrong)
    assert caught.value.parameter == parameter


def test_what_is_no_start_at_all_is_refused() -> None:
    with pytest.raises(InvalidQuery, match="give a RunStart"):
        TaskRequest(task_id="order", started_by="bank")  # type: ignore[arg-type]


def test_no_run_starts_itself() -> None:
    with pytest.raises(InvalidQuery, match="no run starts itself"):
        TaskRequest(task_id="order", started_by=SIGNAL)
