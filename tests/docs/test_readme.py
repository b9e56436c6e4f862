"""The README's code runs as it stands, and prints what the README says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from api.serving import client_of, record
from consumer.rabbitmq.rabbitmq_bench import RabbitMQBench
from rabbitmq_server import RabbitMQ
from servers import StoreUnderTest

from relayna import RedisLog, SharedTasksSharedStatusTopology

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    script = tmp_path_factory.mktemp("readme") / "worker.py"
    script.write_text(block("python"), encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    warning, *traceback = run.stderr.splitlines()
    assert "at task photo-7 failed: Traceback" in warning
    assert traceback[-1] == "TimeoutError: the image server did not answer"
    assert run.returncode == 0
    return run.stdout


def test_your_own_worker_prints_the_graph_that_the_readme_shows(printed: str) -> None:
    assert printed.strip() == block("mermaid").strip()


@pytest.mark.rabbitmq
@pytest.mark.anyio
async def test_the_same_worker_works_on_rabbitmq_until_it_is_told_to_end(
    tmp_path: Path, rabbitmq: RabbitMQ, any_store: StoreUnderTest
) -> None:
    common = block("python").partition("async def main")[0]
    [work] = re.findall(r"```python\n(async def work.*?)```", README, re.DOTALL)
    prefix = f'redis://localhost", prefix="{any_store.prefix}'
    code = f"{common}{work}\n\nanyio.run(work)\n".replace("redis://localhost", prefix).replace(
        "redis://localhost", any_store.url
    )
    script = tmp_path / "worker.py"
    script.write_text(code.replace("amqp://localhost", rabbitmq.url), encoding="utf-8")
    topology = SharedTasksSharedStatusTopology(
        rabbitmq_url=rabbitmq.url,
        tasks_exchange="photos",
        tasks_queue="photos.resize",
        tasks_routing_key="resize",
        status_exchange="photos.statuses",
        status_queue="photos.statuses.all",
    )
    command = [sys.executable, "-W", "error", str(script)]
    async with (
        RabbitMQBench(rabbitmq, topology) as bench,
        await anyio.open_process(
            command, stdout=None, stderr=None, env={**os.environ, "PYTHONPATH": str(ROOT)}
        ) as process,
    ):
        await bench.client.publish_task("photo-7", {"width": 640})
        await bench.until(("photo-7", "completed"))
        process.terminate()
        assert await process.wait() == 0


def test_it_is_one_page() -> None:
    without_drawing = README.replace(block("mermaid"), "")
    assert without_drawing.count("\n") < 110


def test_every_linked_file_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_commands_are_those_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in re.findall(r"^make (\w+)", block("sh"), re.MULTILINE):
        assert f"\n{command}:" in makefile


@pytest.mark.anyio
async def test_the_five_lines_serve_graphs_live_and_metrics(any_store: StoreUnderTest) -> None:
    [code] = re.findall(r"```python\n(from fastapi.*?)```", README, re.DOTALL)
    log = RedisLog(any_store.url, prefix=any_store.prefix)
    await record(log, "photo-7", "processing", "completed")
    given: dict[str, Any] = {}
    prefix = f'{any_store.url}", observation_store_prefix="{any_store.prefix}'
    exec(code.replace("redis://localhost", prefix), given)
    async with client_of(given["app"]) as client:
        graph = await client.get("/executions/photo-7/graph")
        assert graph.json()["summary"]["status"] == "completed"
        async with client.stream("GET", "/executions/photo-7/live") as live:
            told = [line async for line in live.aiter_lines() if line.startswith("event:")]
        assert told[0] == "event: snapshot"
        assert told[-1] == "event: end"
        metrics = await client.get("/metrics")
        assert "relayna_graphs_total" in metrics.text
