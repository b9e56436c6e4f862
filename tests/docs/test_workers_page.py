"""What docs/workers.md shows of retries, of batches and of other names runs as it stands."""

from __future__ import annotations

import ast
import inspect
import json
import re
import shlex
from pathlib import Path
from types import CodeType
from typing import Any

import anyio
import anyio.to_thread
import pytest
from consumer.bench import SHARED, Bench, nodes
from consumer.rabbitmq.rabbitmq_bench import shared_topology
from rabbitmq_server import RabbitMQ

import relayna
import relayna.consumer

pytestmark = pytest.mark.anyio

PAGE = (Path(__file__).parents[2] / "docs" / "workers.md").read_text(encoding="utf-8")


def snippets(heading: str) -> list[CodeType]:
    """The code of one section."""
    [section] = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    blocks = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    return [compile(block, f"docs/workers.md: {heading}", "exec", flags=flags) for block in blocks]


async def run(code: CodeType, names: dict[str, Any]) -> None:
    running = eval(code, names)
    if inspect.isawaitable(running):
        await running


def imported() -> dict[str, Any]:
    """What the page leaves out: the imports."""
    return {name: getattr(module, name) for module in (relayna, relayna.consumer) for name in module.__all__}


async def test_retries() -> None:
    async with Bench() as bench:
        names = {**imported(), "client": bench.client, "resize": print}
        [code] = snippets("Retries and dead letters")
        await run(code, names)
        declared = {queue.name for queue in names["consumer"].declarations().queues}
    assert names["policy"].rungs(1) == (24_000, 30_000, 36_000)
    assert {f"work.retry.{delay}ms" for delay in names["policy"].ladder()} <= declared
    assert len(names["policy"].ladder()) == 9


@pytest.mark.rabbitmq
async def test_statuses_that_nobody_reads_can_expire(rabbitmq: RabbitMQ) -> None:
    topology = shared_topology(rabbitmq.url, rabbitmq.name())
    [command] = re.findall(r"^rabbitmqctl (set_policy .*)", PAGE, re.MULTILINE)
    shown = re.escape("photos.statuses.all")
    assert shown in command
    here = command.replace(shown, re.escape(topology.status_queue)).replace("86400000", "100")
    queues = {topology.status_queue, f"{topology.status_queue}.dead_letters"}
    async with relayna.RelaynaClient(topology=topology) as client:
        await anyio.to_thread.run_sync(rabbitmq.node.control, *shlex.split(here))
        await client.publish_status("photo-7", "resized")
        left = "not looked yet"
        with anyio.fail_after(60):
            while left != "0 0":
                listed = await anyio.to_thread.run_sync(
                    rabbitmq.node.control, "list_queues", "name", "messages"
                )
                counts = [line.split() for line in listed.splitlines()]
                left = " ".join(row[1] for row in counts if row and row[0] in queues)
    rabbitmq.node.control("clear_policy", "statuses")


async def test_batches() -> None:
    async with Bench() as bench:
        names = {**imported(), "client": bench.client}
        publishing, handling = snippets("Batches")
        await run(publishing, names)
        await run(handling, names)
        assert len(names["message_ids"]) == 100
        consumer = relayna.consumer.TaskConsumer(rabbitmq=bench.client, handler=names["resize"])
        async with bench.working(consumer):
            await bench.settled()
        graph = await bench.graph("photo-99")
    assert nodes(graph, "status_event") == ["processing", "seen", "completed"]
    [seen] = [node for node in graph.nodes if node.label == "seen"]
    assert seen.annotations["message"] == "in batch holiday"


async def test_other_names(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Bench() as bench:
        names = {**imported(), "topology": SHARED, "sink": bench.recorder}
        [naming] = snippets("Other names for your fields")
        # The page's client connects to RabbitMQ; this one has the same names and the bench's broker.
        monkeypatch.setattr("relayna.consumer.client._rabbitmq_of", lambda topology, counters: bench.broker)
        await run(naming, names)
        async with names["client"] as client:
            await client.publish_task("photo-7", {"width": 640})
            [message] = await bench.messages("work")
    body = json.loads(message.body)
    assert body == {"job_id": "photo-7", "data": {"width": 640}, "session_id": "photo-7"}
