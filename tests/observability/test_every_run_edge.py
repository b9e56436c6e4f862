"""Every kind of edge between runs, recorded by real handlers, comes out of the service as what it is."""

from __future__ import annotations

import pytest
from consumer.bench import QUICK, Bench
from consumer.rabbitmq.rabbitmq_bench import RabbitMQBench
from rabbitmq_server import RabbitMQ

from relayna.consumer import RelaynaClient, RetryPolicy, RunStart, TaskConsumer, TaskContext, TaskEnvelope
from relayna.observability.lineage_service import LineageService
from relayna.observability.lineage_told import Session
from relayna.projections.lineage.run_edges import EDGE_KINDS

pytestmark = pytest.mark.anyio

SIGNALLED = RunStart(kind="signal_fire", source_run="order", label="paid twice")
CALLED_BACK = RunStart(kind="domain_callback", label="bank", metadata={"transfer": 7})


async def answer() -> str:
    return "yes"


class Shop:
    """`order` does all that handlers can say; `label` fails once."""

    def __init__(self, client: RelaynaClient) -> None:
        self.client = client

    async def __call__(self, task: TaskEnvelope, context: TaskContext) -> None:
        if task.task_id == "order":
            await self.order(context)
        elif task.task_id == "label" and context.retry_attempt == 0:
            raise TimeoutError("no paper")

    async def order(self, context: TaskContext) -> None:
        await context.spawn(
            task_id="pack", now=True, variant="handoff", label="to the store", group_key="box"
        )
        ended = await context.suspend()
        assert (ended.woken_by, ended.statuses, ended.waiting) == ("pack", {"pack": "completed"}, ())
        await context.sleep(0.01, label="cool down")
        assert await context.ask_user(answer(), label="really?") == "yes"
        context.callback(label="courier", metadata={"van": 2})
        await context.spawn(task_id="label")
        await context.spawn(task_id="audit", session_id="audits", variant="a2a_message")
        context.signal("refund", label="paid twice")
        context.record_decision("warn", rule="budget")
        context.record_usage(cost=20_000, tokens=5)

    async def publish(self) -> None:
        """What comes from outside."""
        await self.client.publish_task("order")
        await self.client.publish_task("refund", session_id="order", started_by=SIGNALLED)
        await self.client.publish_task("payout", started_by=CALLED_BACK)
        self.client.record_callback("payout", label="bank again")


ORDER = {
    ("user_start", None, "order", None),
    ("spawn", "order", "pack", "to the store"),
    ("resume", "pack", "order", None),
    ("timer_fire", "order", "order", "cool down"),
    ("ctx_ask_user", "order", "order", "really?"),
    ("domain_callback", None, "order", "courier"),
    ("spawn", "order", "label", None),
    ("retry", "label", "label", None),
    ("signal_fire", "order", "refund", "paid twice"),
}
BRIDGE = {("cross_session_bridge", "order", "audit", None)}
PAYOUT = {("domain_callback", None, "payout", "bank"), ("domain_callback", None, "payout", "bank again")}
READ_ONLY = {"replayed_from", "span_tree_fallback"}
"""No handler records these."""


def told(session: Session) -> set[tuple[str, str | None, str, str | None]]:
    edges = [(edge.kind, edge.source_run, edge.target_run, edge.label) for edge in session.edges]
    assert len(edges) == len(set(edges))
    return set(edges)


async def check(service: LineageService) -> None:
    order, audit, payout = [await service.session(run) for run in ("order", "audit", "payout")]
    assert told(order) == ORDER | BRIDGE
    assert (audit.session_id, told(audit)) == ("audits", BRIDGE)
    assert told(payout) == PAYOUT
    assert {edge.kind for edge in (*order.edges, *payout.edges)} == set(EDGE_KINDS) - READ_ONLY
    by_target = {edge.target_run: edge for edge in order.edges if edge.is_birth}
    assert (by_target["pack"].variant, by_target["pack"].group_key) == ("handoff", "box")
    assert by_target["audit"].variant == "a2a_message"
    assert (by_target["order"].cost_attributed, by_target["order"].tokens_attributed) == (20_000, 5)
    assert [edge.is_birth for edge in payout.edges] == [True, False]
    assert payout.edges[0].metadata == {"transfer": 7}
    assert order.missing == audit.missing == payout.missing == []


@pytest.fixture(autouse=True)
def emits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYNA_LINEAGE_EMIT", "1")


async def test_in_memory() -> None:
    async with Bench() as bench:
        shop = Shop(bench.client)
        consumer = TaskConsumer(rabbitmq=bench.client, handler=shop, retry_policy=QUICK, prefetch=4)
        await bench.work_off(consumer, publish=shop.publish, retries=1)
        await bench.recorder.durable()
        await check(LineageService(log=bench.log))
        graph = await bench.graph("order")
    assert graph.summary.graph_completeness == "full"
    assert bench.counters == {}


@pytest.mark.rabbitmq
async def test_on_rabbitmq(rabbitmq: RabbitMQ) -> None:
    async with RabbitMQBench(rabbitmq) as bench:
        shop = Shop(bench.client)
        policy = RetryPolicy(max_retries=1, delay_ms=40, jitter=0)
        async with bench.working(
            TaskConsumer(rabbitmq=bench.client, handler=shop, retry_policy=policy, prefetch=4)
        ):
            await shop.publish()
            await bench.until(
                *((run, "completed") for run in ("order", "label", "audit", "refund", "payout"))
            )
        await bench.recorder.durable()
        await check(LineageService(log=bench.log))
