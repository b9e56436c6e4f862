"""docs/messages.md: the walk from a failed run to its input and a replay runs as it stands, on real servers."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from cli.in_process import Ran, relayna_here
from consumer.broker_steps import PATIENCE_SECONDS
from rabbitmq_server import RabbitMQ
from servers import StoreUnderTest

from relayna import RelaynaClient, RetryPolicy, WorkflowConsumer
from relayna.api.aliases import HttpNames
from relayna.api.messages import message_endpoints
from relayna.cli.messages_command import command
from relayna.consumer import WorkflowContext, WorkflowEnvelope
from relayna.observability.message_reading import RECENT_TASKS
from relayna.observability.session_replay import SessionReplayed
from relayna.streams import Recorder
from relayna.streams.redis import RedisLog
from relayna.topologies import SharedStatusWorkflowTopology, WorkflowStage

PAGE = (Path(__file__).parents[2] / "docs" / "messages.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    [found] = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    return str(found)


def topology_named(url: str, name: str) -> SharedStatusWorkflowTopology:
    stages = tuple(
        WorkflowStage(name=stage, queue=f"{name}.{stage}", binding_keys=(stage,), publish_routing_key=stage)
        for stage in ("price", "charge")
    )
    return SharedStatusWorkflowTopology(
        rabbitmq_url=url, workflow_exchange=f"{name}.flow", stages=stages, status_exchange=f"{name}.statuses",
        status_queue=f"{name}.statuses.all",
    )  # fmt: skip


class Shop:
    """Prices an order and charges for it, by the page's own client; charging fails until it is mended."""

    def __init__(self) -> None:
        self.mended = False
        self.over = anyio.Event()

    async def price(self, message: WorkflowEnvelope, context: WorkflowContext) -> dict[str, int]:
        await context.publish_to_stage("charge", {"order": message.payload, "cents": 4_200})
        return {"cents": 4_200}

    async def charge(self, message: WorkflowEnvelope, context: WorkflowContext) -> None:
        self.over.set()
        if not self.mended:
            raise KeyError("id")

    async def work(self, names: dict[str, Any], *, publish: bool) -> None:
        [code] = re.findall(r"```python\n(.*?)```", section("Recording"), re.DOTALL)
        exec(code.replace("/var/lib/relayna/inputs", names["directory"]), names)
        self.over = anyio.Event()
        async with names["client"] as client, anyio.create_task_group() as running:
            consumers = [
                WorkflowConsumer(
                    rabbitmq=client, stage=stage, handler=handler, retry_policy=RetryPolicy(max_retries=0)
                )
                for stage, handler in (("price", self.price), ("charge", self.charge))
            ]
            for consumer in consumers:
                await running.start(consumer.run)
            if publish:
                await client.publish_to_stage("price", "order-7", {"sku": "lamp"})
            await self.over.wait()
            for consumer in consumers:
                consumer.stop()


@pytest.mark.anyio
@pytest.mark.rabbitmq
async def test_the_walk_from_a_failed_run_to_its_input_and_a_replay(
    any_store: StoreUnderTest, rabbitmq: RabbitMQ, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAYNA_LINEAGE_EMIT", "1")
    topology = topology_named(rabbitmq.url, rabbitmq.name())
    place = {
        "RELAYNA_REDIS_URL": any_store.url, "RELAYNA_PREFIX": any_store.prefix, "RELAYNA_STORAGE_URL": str(tmp_path),
        "RELAYNA_AMQP_URL": rabbitmq.url,
    }  # fmt: skip
    found: dict[str, str] = {}

    async def asked(line: str, *more: str) -> Ran:
        words = [found.get(word, word) for word in shlex.split(line)]
        ran = await anyio.to_thread.run_sync(lambda: relayna_here(*words[1:], *more, **place))
        assert (ran.code, ran.stderr) == (0, ""), ran
        return ran

    def names_of_the_page() -> dict[str, Any]:
        recorder = Recorder(RedisLog(any_store.url, prefix=any_store.prefix))
        return {
            "RelaynaClient": RelaynaClient,
            "topology": topology,
            "sink": recorder,
            "directory": str(tmp_path),
        }

    looking, again = re.findall(r"```sh\n(.*?)```", section("From a failed run.*?"), re.DOTALL)
    shop = Shop()
    with anyio.fail_after(6 * PATIENCE_SECONDS):
        await shop.work(names_of_the_page(), publish=True)
        failures, show, chain, get = looking.splitlines()
        [failed] = json.loads((await asked(failures, "--format", "json")).stdout)["messages"]
        listed = (await asked(failures)).stdout.decode().splitlines()[1]
        assert listed.endswith("KeyError: 'id'")
        found["MESSAGE"], found["KEY"] = listed.split()[0], failed["metadata"]["storage_key"]
        shown = (await asked(show)).stdout.decode()
        assert found["KEY"] in shown
        assert "KeyError: 'id'" in shown
        lines = (await asked(chain)).stdout.decode().splitlines()
        assert [re.search(r"order-7 +(\w+)", line)[1] for line in lines[1:]] == ["price", "charge"]  # type: ignore[index]
        body = json.loads((await asked(get)).stdout)
        assert body["payload"] == {"order": {"sku": "lamp"}, "cents": 4_200}

        dry, replay, listing = again.splitlines()
        assert "would send 1 message" in (await asked(dry)).stdout.decode()
        shop.mended = True
        told = json.loads((await asked(replay, "--format", "json")).stdout)
        found["NEW"] = told["new_session_id"]
        await shop.work(names_of_the_page(), publish=False)
        [row] = json.loads((await asked(listing, "--format", "json")).stdout)["messages"]
    assert (row["route"], row["status"], row["batch_id"]) == ("charge", "completed", told["batch_id"])
    assert row["input_hash"] == failed["input_hash"]
    assert row["id"] != failed["id"]


def test_what_a_handler_names_itself_is_told_of() -> None:
    again = section("From a failed run.*?")
    for word in ('spawn(task_id=f"report-{n}")', "context.task_id", "old session"):
        assert word in again
    assert "`fixed_ids`" in again
    assert "fixed_ids" in SessionReplayed.__struct_fields__


def test_every_question_is_told() -> None:
    asking = section("Asking")
    endpoints = message_endpoints(lambda caller: None, HttpNames(None))  # type: ignore[arg-type, return-value]
    told = set(re.findall(r"`(/lineage/messages[^?`\s]*)", asking))
    fixed = {one.path.replace(":path", "") for one in endpoints if not one.name.endswith("_by_query")}
    assert fixed <= told
    [listed] = [one for one in endpoints if one.name == "lineage_messages"]
    for parameter in listed.parameters:
        assert f"{parameter.name}=" in asking
    assert set(re.findall(r"relayna messages (\w+)", asking)) == set(command.commands)  # type: ignore[attr-defined]
    assert f"{RECENT_TASKS:,} tasks" in asking
