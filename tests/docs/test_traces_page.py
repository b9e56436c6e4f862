"""What docs/traces.md shows works as it stands."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import anyio.to_thread
import httpx2
import pytest
from anyio import to_thread
from api.whole_service import guarded, token_entry, whole_app
from cli.command_line import ROOT
from cli.in_process import relayna_here
from consumer.bench import Bench
from observability.trace.collector import collecting
from servers import StoreUnderTest

from relayna.api.runtime import RelaynaRuntime
from relayna.api.tokens import TokenAccess, new_token
from relayna.consumer import TaskConsumer, TaskContext, TaskEnvelope
from relayna.settings import Settings
from relayna.streams import Recorder
from relayna.streams.redis import RedisLog

pytestmark = pytest.mark.anyio

PAGE = (ROOT / "docs" / "traces.md").read_text(encoding="utf-8")
BASE = f"http://{Settings().host}:{Settings().port}"


def blocks(language: str, heading: str) -> list[str]:
    [section] = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


class World(NamedTuple):
    """A service over a store in which `order-7` was rendered by the handler of the page."""

    url: str
    token: str
    options: tuple[str, ...]


@pytest.fixture
async def world(any_store: StoreUnderTest, tmp_path: Path) -> AsyncIterator[World]:
    async def load(scene: str) -> str:
        return scene

    async def store(image: bytes) -> int:
        return len(image)

    names: dict[str, Any] = {
        "TaskContext": TaskContext, "TaskEnvelope": TaskEnvelope, "to_thread": to_thread, "load": load, "store": store,
    }  # fmt: skip
    [code] = blocks("python", "Recording")
    exec(compile(code, "docs/traces.md", "exec"), names)
    log = RedisLog(any_store.url, prefix=any_store.prefix)
    recorder = Recorder(log)
    async with Bench(sink=lambda _: recorder) as bench:
        consumer = TaskConsumer(rabbitmq=bench.client, handler=names["render"])
        await bench.work_off(consumer, publish=lambda: bench.client.publish_task("order-7", {"scene": "tea"}))
        await recorder.durable()
    token, tokens = new_token(), tmp_path / "tokens.toml"
    tokens.write_text(token_entry("page", token, "read", "record"), encoding="utf-8")
    app = whole_app(
        RelaynaRuntime(log=RedisLog(any_store.url, prefix=any_store.prefix)),
        access=TokenAccess(tokens),
        allow_writes=True,
    )
    async with guarded(app) as url:
        yield World(url, token, ("--redis-url", any_store.url, "--prefix", any_store.prefix))


async def test_the_handler_records_what_the_page_says(world: World) -> None:
    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {world.token}"}) as client:
        [*commands] = blocks("sh", "Looking")[0].strip().splitlines()
        answers = [await client.get(shlex.split(one)[-1].replace(BASE, world.url)) for one in commands]
    assert {answer.status_code for answer in answers} == {200}
    spans = {one["name"]: one for one in map(json.loads, answers[1].content.splitlines())}
    assert set(spans) == {"task", "read sources", "render", "shade", "dump to storage", "thumbnail skipped"}
    assert spans["shade"]["parent_id"] == spans["render"]["context"]["span_id"]
    assert spans["dump to storage"]["attributes"]["payload_bytes"] == 3
    assert answers[0].json()["per_data_id"][0]["parent_data_ids"] == ["tea"]


async def test_the_commands_work(world: World, tmp_path: Path) -> None:
    with collecting() as collector:
        for command in (*blocks("", "Looking"), *blocks("", "To a collector")):
            for line in command.strip().splitlines():
                told = line.replace("http://127.0.0.1:4318/v1/traces", collector.url)
                told = told.replace("spans.ndjson", str(tmp_path / "spans.ndjson"))
                [name, *arguments] = shlex.split(told)
                run = await anyio.to_thread.run_sync(
                    lambda arguments=arguments: relayna_here(*arguments, *world.options)
                )
                assert (name, run.code) == ("relayna", 0), run.stderr
    assert len((tmp_path / "spans.ndjson").read_bytes().splitlines()) == len(collector.spans) == 6


async def test_an_upload_is_answered_as_shown(world: World) -> None:
    [command], [shown] = blocks("sh", "From elsewhere"), blocks("json", "From elsewhere")
    [name, _, header, _, file, url] = shlex.split(command)
    assert (name, file) == ("curl", "@spans.ndjson")
    headers = {"authorization": f"Bearer {world.token}", "content-type": header.split(": ")[1]}
    line = b'{"name": "gpu", "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:01Z"}\n'
    async with httpx2.AsyncClient(headers=headers) as client:
        answer = await client.post(url.replace(BASE, world.url), content=line)
    assert answer.json() == json.loads(shown)


async def test_the_notebook_gets_its_frames(world: World) -> None:
    [code] = blocks("python", "In a notebook")
    names: dict[str, Any] = {"token": world.token}
    code = compile(code.replace(BASE, world.url), "docs/traces.md", "exec")
    await anyio.to_thread.run_sync(lambda: exec(code, names))
    assert list(names["slowest"]["data_id"]) == ["order-7"]
    assert set(names["compute"]["event_type"]) == {"render", "shade"}
