"""Users of a broker with the rights of deploy/acl: a worker works, a service replays, and neither does more."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest
from consumer.rabbitmq.rabbitmq_bench import RabbitMQBench, shared_topology
from rabbitmq_server import RabbitMQ

from relayna.consumer import Message, RetryPolicy, TaskConsumer, TaskContext, TaskEnvelope
from relayna.consumer.rabbitmq import RabbitMQBroker
from relayna.errors import BrokerError
from relayna.observability import DLQService
from relayna.observability.dead_letter_store import DLQStore
from relayna.topologies import Declarations, Exchange, Queue
from tools.rabbitmq_node import RabbitMQNode

pytestmark = [pytest.mark.anyio, pytest.mark.rabbitmq]

SCRIPT = Path(__file__).parents[3] / "deploy" / "acl" / "rabbitmq-permissions"


@contextmanager
def users(node: RabbitMQNode, names: str) -> Iterator[tuple[str, str]]:
    """The URLs of a worker and of a service, for names that begin so."""
    who = [f"{names}-worker", f"{names}-service"]
    for one in who:
        node.control("add_user", one, "word")
    script = [str(SCRIPT), "/", names.replace("-", "[-]"), *who]
    environment = {
        **node._environment(),
        "RABBITMQCTL": f"{node._script.parent}/rabbitmqctl --quiet --node {node._name}",
    }
    subprocess.run(script, env=environment, check=True, capture_output=True)
    try:
        yield tuple(f"amqp://{one}:word@127.0.0.1:{node.port}/" for one in who)  # type: ignore[misc]
    finally:
        for one in who:
            node.control("delete_user", one)


async def test_a_worker_works_and_a_service_replays(rabbitmq: RabbitMQ) -> None:
    names, mended = rabbitmq.name(), anyio.Event()

    async def fail(task: TaskEnvelope, context: TaskContext) -> None:
        if not mended.is_set():
            raise KeyError("total")

    with users(rabbitmq.node, names) as (worker_url, service_url):
        bench = RabbitMQBench(rabbitmq, shared_topology(worker_url, names), broker=RabbitMQBroker(worker_url))
        async with bench:
            policy = RetryPolicy(max_retries=1, delay_ms=10)
            async with bench.working(TaskConsumer(rabbitmq=bench.client, handler=fail, retry_policy=policy)):
                await bench.client.publish_task("order")
                await bench.until(("order", "failed"))
            await bench.recorder.durable(budget_seconds=5)
            service = DLQService(store=DLQStore(bench.log), broker=RabbitMQBroker(service_url))
            [letter] = await service.list_dead_letters("order")
            result = await service.replay("order", letter["dead_letter_id"])
            assert result.outcome.value == "replayed", result.problem
            mended.set()
            async with bench.working(TaskConsumer(rabbitmq=bench.client, handler=fail, retry_policy=policy)):
                await bench.until(("order", "completed"))


async def test_neither_does_what_it_must_not(rabbitmq: RabbitMQ) -> None:
    names, others = rabbitmq.name(), rabbitmq.name()
    theirs = Declarations(exchanges=(Exchange(name=f"{others}.x"),), queues=(Queue(name=f"{others}.q"),))
    ours = Declarations(exchanges=(Exchange(name=f"{names}.x"),), queues=(Queue(name=f"{names}.q"),))
    async with RabbitMQBroker(rabbitmq.url) as administrator:
        await administrator.declare(theirs)
        with users(rabbitmq.node, names) as urls:
            for url, forbidden in zip(urls, (theirs, ours), strict=True):
                await check_refused(url, forbidden, f"{others}.x", f"{others}.q")
        await administrator.delete(theirs)
        await administrator.delete(ours)


async def check_refused(url: str, forbidden: Declarations, exchange: str, queue: str) -> None:
    async with RabbitMQBroker(url) as broker:
        with pytest.raises(BrokerError, match="ACCESS_REFUSED"):
            await broker.declare(forbidden)
        with pytest.raises(BrokerError):
            await broker.publish(Message(body=b"{}"), exchange=exchange, routing_key="k", confirm_timeout=5)
    async with RabbitMQBroker(url) as broker:
        with pytest.raises(BrokerError, match="ACCESS_REFUSED"):
            async with broker.consume(queue, prefetch=1) as subscription:
                await anext(aiter(subscription))


def test_the_script_explains_itself() -> None:
    run = subprocess.run([str(SCRIPT)], env={"PATH": os.environ["PATH"]}, capture_output=True, check=False)
    assert run.returncode == 2
    assert b"rabbitmq-permissions VHOST NAMES WORKER SERVICE" in run.stderr
