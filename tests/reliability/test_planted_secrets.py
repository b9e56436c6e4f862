"""T36: secrets planted in all that users hand to relayna are in nothing that it stores, logs, answers or prints."""

from __future__ import annotations

import base64
import gzip
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote

import anyio
import anyio.to_thread
import httpx2
import pytest
from api.serving import client_of
from cli.command_line import relayna
from consumer.bench import Bench
from reliability.planted import PLACES_A_TASK, Planted, Plants, found_in
from reliability.report import Findings, ReliabilityReport
from reliability.sizes import sized
from servers import StoreUnderTest
from starlette.applications import Starlette
from starlette.requests import Request
from streams.faulty_log import FaultyLog

from relayna.api import RelaynaRuntime
from relayna.api.caller import Caller
from relayna.api.endpoint import Endpoint
from relayna.consumer import DeadLetterRecorder, RetryPolicy, TaskConsumer, TaskContext, TaskEnvelope
from relayna.ids import TaskId
from relayna.observability import DLQService
from relayna.observability.archive import ArchiveFolder, read_task
from relayna.observability.metrics import TEXT, PrometheusMeasures, expose
from relayna.streams import MemoryLog, Recorder, TaskAddress
from relayna.streams.redis.log import RedisLog
from relayna.streams.spool import Spool

pytestmark = [pytest.mark.anyio, pytest.mark.fault]

SEED = 36
NOT_READ = "live_execution"
"""It goes on for as long as a task does, and tells what its graph tells."""


class EverySight:
    """Everybody may see and do everything."""

    def caller_of(self, request: Request) -> Caller:
        return Caller(name="auditor", scopes=frozenset({"read", "payloads", "replay", "metrics"}))


class Work:
    """Tasks with secrets in their payloads and headers, and a handler that tells and raises more of them."""

    def __init__(self, plants: Plants, tasks: int) -> None:
        self.plants = plants
        self.task_ids = [f"order/{number}" for number in range(tasks)]

    async def publish(self, bench: Bench) -> None:
        plants = self.plants
        for task_id in self.task_ids:
            headers = {"x-trace": plants.text("header text"), "authorization": plants.secret("header")}
            payload = plants.map("payload")
            await bench.client.publish_task(task_id, payload, headers=headers)
            await bench.client.publish_status(task_id, "asked", message=plants.text("status from outside"))

    async def handle(self, task: TaskEnvelope, context: TaskContext) -> None:
        plants = self.plants
        await context.publish_status("half", message=plants.text("status"), meta=plants.map("meta"))
        if len(self.plants.planted) % 3 == 0:
            await context.manual_retry(reason=plants.text("manual retry"))
        try:
            raise ValueError(plants.text("cause of an exception"))
        except ValueError as error:
            raise Planted(plants.text("exception")) from error

    async def run(self, bench: Bench, recorder: Recorder, *, budget_seconds: float = 30) -> None:
        consumer = TaskConsumer(
            rabbitmq=bench.client, handler=self.handle, retry_policy=RetryPolicy(max_retries=0), prefetch=20
        )
        await bench.work_off(
            consumer, DeadLetterRecorder(rabbitmq=bench.client), publish=lambda: self.publish(bench)
        )
        await recorder.durable(budget_seconds=budget_seconds)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """All that the program's log gets, with tracebacks."""
    with caplog.at_level(logging.DEBUG):
        yield caplog


@sized(secrets=1_000)
async def test_nothing_that_is_stored_answered_or_logged_holds_a_secret(
    secrets: int,
    any_store: StoreUnderTest,
    tmp_path: Path,
    logged: pytest.LogCaptureFixture,
    reliability: ReliabilityReport,
) -> None:
    print(f"seed {SEED}")
    plants = Plants(SEED)
    work = Work(plants, max(1, secrets // PLACES_A_TASK))
    measures = PrometheusMeasures()
    log = RedisLog(any_store.url, prefix=any_store.prefix, shard_count=4)
    recorder = Recorder(log, counters=measures)
    bench = Bench(sink=lambda _: recorder)
    sinks: dict[str, bytes] = {}
    async with bench:
        await work.run(bench, recorder)
    async with log:
        sinks |= {"streams": dumped(any_store), "metrics": expose(measures.registry, TEXT)}
        sinks |= {f"archive {name}": data async for name, data in archived(log, work.task_ids, tmp_path)}
        sinks |= {f"HTTP {name}": data async for name, data in answers(log, work, bench)}
        sinks |= {f"terminal {name}": data async for name, data in printed(any_store, work.task_ids[:2])}
        sinks["streams after replays"] = dumped(any_store)
    sinks["program log"] = logged.text.encode()
    assert all(sinks.values())
    assert len(plants.planted) >= secrets * 0.8
    leaks = sorted({leak for sink, data in sinks.items() for leak in found_in(sink, data, plants)})
    assert leaks == [], leaks[:20]
    reliability.add("T36 planted secrets", Findings(tasks=len(work.task_ids), bad_inputs=len(plants.planted)))


def dumped(store: StoreUnderTest) -> bytes:
    """Every stream's entries, as the server holds them."""
    names = [name for name in store.all_keys() if name.endswith((":events", ":feed"))]
    return b"".join(
        part for name in names for _, fields in store.admin.xrange(name) for part in fields.values()
    )


async def archived(log: RedisLog, task_ids: list[str], folder: Path) -> AsyncIterator[tuple[str, bytes]]:
    """The tasks' archives, unpacked."""
    archive = ArchiveFolder(folder / "archive", log.keys)
    for task_id in task_ids:
        address = TaskAddress(TaskId(task_id))
        task = await read_task(log, address)
        assert task is not None
        archive.put(task)
        path = archive.path_of(address)
        yield path.name, gzip.decompress(path.read_bytes())


async def answers(log: RedisLog, work: Work, bench: Bench) -> AsyncIterator[tuple[str, bytes]]:
    """What every endpoint answers about the tasks, to somebody who may see everything."""
    runtime = RelaynaRuntime(
        log=log,
        dead_letters=lambda store: DLQService(store=store, broker=bench.broker),
        clock=bench.workers_clock,
    )
    app = Starlette(routes=runtime.routes(access=EverySight(), allow_writes=True))
    async with runtime, client_of(app) as client:
        for task_id in work.task_ids:
            listed = await client.get(f"/executions/{quote(task_id, safe='')}/dead-letters")
            letters = [letter["dead_letter_id"] for letter in listed.json()["dead_letters"]]
            for endpoint in runtime.endpoints():
                if NOT_READ not in endpoint.name:
                    answer = await asked(client, endpoint, task_id, letters[0], work.plants)
                    assert answer.status_code < 500, (endpoint.path, answer.text)
                    yield f"{endpoint.name} of {task_id}", answer.content or b"nothing"


async def asked(
    client: httpx2.AsyncClient, endpoint: Endpoint, task_id: str, letter: str, plants: Plants
) -> httpx2.Response:
    path = endpoint.path.replace("{task_id:path}", quote(task_id, safe="")).replace(
        "{dead_letter_id}", letter
    )
    wanted = {"task_id": task_id, "dead_letter_id": letter}
    query = {
        one.name: wanted.get(one.name, "x")
        for one in endpoint.parameters
        if one.of == "query" and one.required
    }
    if endpoint.method == "POST":
        return await client.post(path, params=query, json={"reason": plants.text("reason of a replay")})
    return await client.get(path, params=query)


async def printed(store: StoreUnderTest, task_ids: list[str]) -> AsyncIterator[tuple[str, bytes]]:
    """What commands write, on both streams."""
    place = ("--redis-url", store.url, "--prefix", store.prefix, "--shard-count", "4")
    for task_id in task_ids:
        listed = await command("dlq", "list", task_id, *place)
        letter = listed.splitlines()[1].split()[0].decode()
        yield f"dlq list {task_id}", listed
        for name in (("show",), ("plan",), ("show", "--format", "json")):
            yield (
                f"dlq {' '.join(name)} {task_id}",
                await command("dlq", name[0], task_id, letter, *name[1:], *place),
            )
        for style in ("tree", "table", "mermaid", "json"):
            yield f"graph {style} {task_id}", await command("graph", task_id, "--format", style, *place)


async def command(*arguments: str, **variables: str) -> bytes:
    run = await anyio.to_thread.run_sync(lambda: relayna(*arguments, **variables))
    return run.stdout + run.stderr


@sized(secrets=1_000)
async def test_the_spool_and_the_last_resort_hold_no_secret(
    secrets: int, tmp_path: Path, logged: pytest.LogCaptureFixture, reliability: ReliabilityReport
) -> None:
    print(f"seed {SEED + 1}")
    plants = Plants(SEED + 1)
    written = b""
    for spool in (Spool(tmp_path / "spool"), None):
        log = FaultyLog(MemoryLog())
        log.unreachable = True
        recorder = Recorder(log, spool=spool, max_events=50, close_deadline=0)
        bench = Bench(sink=lambda _, recorder=recorder: recorder)  # type: ignore[misc]
        async with bench:
            await Work(plants, max(1, secrets // (2 * PLACES_A_TASK))).run(bench, recorder, budget_seconds=1)
        written += on_disk(tmp_path)
    lines = logged.text.encode()
    assert len(written) > 1_000
    assert b"event_not_stored" in lines
    leaks = sorted(
        {leak for name, data in (("spool", written), ("log", lines)) for leak in found_in(name, data, plants)}
    )
    assert leaks == [], leaks[:20]
    reliability.add("T36 spool and last resort", Findings(bad_inputs=len(plants.planted)))


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


URLS = [
    "redis://app:SECRET@127.0.0.1:1/0", "rediss://:SECRET@127.0.0.1:1/0", "redis+cluster://app:SECRET@127.0.0.1:1",
    "redis+sentinel://a:SECRET@127.0.0.1:1/orders?sentinel_password=SECRET", "redis://127.0.0.1:1/0?password=SECRET",
    "redis://app:SECRET@127.0.0.1:port/0", "redis+sentinel://app:SECRET@127.0.0.1", "nonsense://app:SECRET@x",
]  # fmt: skip


@sized(urls=80)
async def test_no_command_prints_the_secrets_of_its_settings(
    urls: int, tmp_path: Path, reliability: ReliabilityReport
) -> None:
    plants = Plants(SEED + 2)
    printed_ = b""
    for number in range(urls):
        url = URLS[number % len(URLS)].replace("SECRET", plants.secret("URL"))
        amqp = f"amqp://app:{plants.secret('AMQP URL')}@127.0.0.1:1/"
        file = tmp_path / f"{number}.toml"
        file.write_text(f'redis_url = "{url}"\namqp_url = "{amqp}"\n')
        for words in (("config", "--format", "json"), ("graph", "order")):
            printed_ += await command(*words, RELAYNA_CONFIG=str(file))
        printed_ += await command("config", RELAYNA_REDIS_URL=url, RELAYNA_AMQP_URL=amqp)
    assert b"***" in printed_
    leaks = sorted(set(found_in("terminal", printed_, plants)))
    assert leaks == [], leaks[:20]
    reliability.add("T36 settings", Findings(bad_inputs=len(plants.planted)))


def test_a_secret_would_be_found() -> None:
    plants = Plants(SEED)
    secret = plants.secret("here")
    for text in (secret.encode(), b"x" + secret.encode()):
        assert list(found_in("sink", b"before " + text, plants)) == ["here -> sink"]
    for before in ("", "a", "ab", "abc"):
        encoded = base64.b64encode(f"{before}{secret} after".encode())
        assert list(found_in("sink", encoded, plants)) == ["here -> sink"]
    assert list(found_in("sink", b"nothing", plants)) == []
