"""Every example works as its page says: a worker until SIGTERM, and something for it to do."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import anyio
import pytest
from consumer.rabbitmq.rabbitmq_bench import RabbitMQBench
from rabbitmq_server import RabbitMQ
from servers import Servers

from relayna.streams.redis import RedisLog
from relayna.topologies import TOPOLOGIES, Topology, topology_kind

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
EXAMPLES: dict[str, str] = dict(re.findall(r"^\| `(\w+)\.py` .*`([\w-]+)` \|$", PAGE, re.MULTILINE))

pytestmark = [pytest.mark.anyio, pytest.mark.rabbitmq]


def topologies_of(name: str) -> list[Topology]:
    spec = importlib.util.spec_from_file_location(f"example_{name}", ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = ModuleType(spec.name)
    spec.loader.exec_module(module)
    if hasattr(module, "TOPOLOGY"):
        return [module.TOPOLOGY]
    source = (ROOT / "examples" / f"{name}.py").read_text(encoding="utf-8")
    return [module.topology(kind) for kind in dict.fromkeys(re.findall(r'topology\("(\w+)"\)', source))]


def test_there_is_one_for_each_kind_and_the_page_names_it() -> None:
    assert sorted(EXAMPLES) == sorted(path.stem for path in (ROOT / "examples").glob("*.py"))
    kinds = {topology_kind(topologies_of(name)[0]) for name in EXAMPLES}
    assert kinds == {variant.kind for variant in TOPOLOGIES}


@pytest.mark.parametrize("name", EXAMPLES)
async def test_it_works(
    name: str, rabbitmq: RabbitMQ, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis_url = servers.url(servers.first_present())
    monkeypatch.setenv("RELAYNA_AMQP_URL", rabbitmq.url)
    environment = {**os.environ, "RELAYNA_REDIS_URL": redis_url, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / f"{name}.py")]
    log = RedisLog(redis_url)
    async with RabbitMQBench(rabbitmq, topologies_of(name)[0], log=log) as bench:
        async with await anyio.open_process(command, stdout=None, stderr=None, env=environment) as worker:
            published = await anyio.run_process(
                [*command, "publish"], env=environment, stderr=subprocess.STDOUT
            )
            assert published.stdout == b""
            await bench.until((EXAMPLES[name], "completed"))
            worker.terminate()
            assert await worker.wait() == 0
        graph = await bench.graph(EXAMPLES[name])
    assert (graph.summary.status, graph.summary.graph_completeness) == ("completed", "full")
