"""T2 to T4, T7 to T9 and T12: a store that is cut off, killed, frozen, full, or that refuses."""

from __future__ import annotations

import itertools
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from msgspec.structs import replace
from proxy import cutting_proxy
from reliability.recording_load import IMPATIENT, RecordingLoad, judge_recorded
from reliability.report import Findings, ReliabilityReport
from reliability.sizes import sized
from reliability.store_server import StoreServer
from streams.log_harness import address, appended_ids
from streams.provocations import ON_NEW_CONNECTIONS, PROVOCATIONS

from relayna.errors import ExecutionNotFound
from relayna.observability import ExecutionGraphService
from relayna.streams.log import Append, Appended, StreamRange
from relayna.streams.redis.log import RedisLog
from relayna.streams.sink import Durability

pytestmark = [pytest.mark.anyio, pytest.mark.fault]

_SOON = "?socket_timeout=0.2&socket_connect_timeout=0.5"
"""Short waits for replies: more outcomes that are unknown, and nothing else is different."""


@asynccontextmanager
async def under_load(*loads: RecordingLoad) -> AsyncIterator[None]:
    """They record while the context lasts; when it is left, all that they have recorded is stored."""
    async with anyio.create_task_group() as running:
        for load in loads:
            await running.start(_opened, load)
        yield
        for load in loads:
            load.stop()


async def _opened(load: RecordingLoad, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    async with load:
        task_status.started()
        await load.run()
        await load.all_stored()


@sized(replies=1_000)
async def test_replies_are_cut(replies: int, tmp_path: Path, reliability: ReliabilityReport) -> None:
    """T2: what was carried out and not answered is neither lost nor done twice."""
    seed = 2
    chance = random.Random(seed)
    print(f"seed {seed}")
    journals = [tmp_path / f"journal-{number}" for number in range(4)]
    async with (
        StoreServer(tmp_path / "store", appendfsync="everysec") as server,
        cutting_proxy("127.0.0.1", server.port) as proxy,
    ):
        loads = [
            RecordingLoad(RedisLog(proxy.url), journal, name=f"producer-{number}")
            for number, journal in enumerate(journals)
        ]

        async def work(load: RecordingLoad) -> None:
            while proxy.cuts < replies:
                await load.goes_on(1)

        async with under_load(*loads):
            proxy.may_cut = lambda: proxy.cuts < replies and chance.random() < 0.2
            async with anyio.create_task_group() as workers:
                for load in loads:
                    workers.start_soon(work, load)
        async with RedisLog(server.url) as log:
            findings = await judge_recorded(log, *journals, faults=proxy.cuts)
    assert proxy.cuts == replies
    reliability.add("T2 replies cut", findings)


@sized(kills=10)
async def test_the_store_is_killed_and_comes_back(
    kills: int, tmp_path: Path, reliability: ReliabilityReport
) -> None:
    """T3: nobody who records notices, and nothing is lost."""
    journal = tmp_path / "journal"
    async with StoreServer(tmp_path / "store") as server:
        load = RecordingLoad(RedisLog(server.url), journal)
        async with under_load(load):
            for _ in range(kills):
                await load.goes_on(50)
                await server.kill()
                await load.goes_on(50)
                await server.restart()
        async with RedisLog(server.url) as log:
            findings = await judge_recorded(log, journal, faults=kills)
    assert load.answers[Durability.LOST] == 0
    reliability.add("T3 store killed", findings)


@sized(freezes=20)
async def test_the_store_freezes(freezes: int, tmp_path: Path, reliability: ReliabilityReport) -> None:
    """T4: half a second, two, ten; whatever was on its way may have been carried out or not."""
    journal = tmp_path / "journal"
    lengths = itertools.cycle([0.5, 2.0, 10.0] if freezes > 2 else [0.5])
    async with StoreServer(tmp_path / "store") as server:
        load = RecordingLoad(RedisLog(server.url + _SOON), journal)
        async with under_load(load):
            for seconds in itertools.islice(lengths, freezes):
                await load.goes_on(20)
                thawing = server.freeze(seconds)
                await load.goes_on(20)
                await anyio.to_thread.run_sync(thawing.join)
        async with RedisLog(server.url) as log:
            findings = await judge_recorded(log, journal, faults=freezes)
    reliability.add("T4 store frozen", findings)


@sized(tasks=5_000)
async def test_the_store_is_full(
    tasks: int, tmp_path: Path, reliability: ReliabilityReport, caplog: pytest.LogCaptureFixture
) -> None:
    """T7: one alarm, few probes, and everything is stored once there is room."""
    journal = tmp_path / "journal"
    async with StoreServer(tmp_path / "store") as server:
        with server.admin() as admin:
            log = RedisLog(server.url, shard_count=1)  # so that each try is one call
            load = RecordingLoad(
                log,
                journal,
                max_events=100 * tasks,
                max_bytes=2**30,
                backoff=replace(IMPATIENT, probe_seconds=0.5),
            )
            async with under_load(load):
                await load.goes_on(20)
                admin.config_set("maxmemory", 1)
                admin.config_resetstat()
                await load.goes_on(tasks)
                calls = admin.info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0)
                admin.config_set("maxmemory", 0)
        async with log:
            findings = await judge_recorded(log, journal, faults=1)
    assert 0 < calls < tasks / 10
    alarms = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(alarms) == 1
    assert "OOM" in alarms[0]
    reliability.add("T7 store full", findings)


@sized(tasks=5_000)
async def test_the_store_evicts(tasks: int, tmp_path: Path, reliability: ReliabilityReport) -> None:
    """T8: a wrong eviction policy costs streams without any error; no graph says that nothing is missing."""
    journal = tmp_path / "journal"
    async with StoreServer(
        tmp_path / "store", appendfsync="everysec", maxmemory_policy="allkeys-random"
    ) as server:
        with server.admin() as admin:
            load = RecordingLoad(RedisLog(server.url), journal, max_events=tasks)
            admin.config_set("maxmemory", admin.info("memory")["used_memory"] + tasks * 2_500)
            async with load:
                await load.run_abreast(tasks)
            evicted = admin.info("stats")["evicted_keys"]
            admin.config_set("maxmemory", 0)
        async with RedisLog(server.url) as log:
            judged = await judge_recorded(log, journal, faults=evicted)
            reasons = await reasons_of_partials(log, load.tasks)
    assert judged.lost
    assert reasons
    assert reasons <= {"head_missing", "no_observations", "gap"}
    reliability.add(
        "T8 streams evicted",
        Findings(
            tasks=judged.tasks,
            events=judged.events,
            faults=evicted,
            duplicated_in_log=judged.duplicated_in_log,
            duplicated_in_graph=judged.duplicated_in_graph,
            silent_partials=judged.silent_partials,
        ),
    )


async def reasons_of_partials(log: RedisLog, tasks: int) -> set[str]:
    """Why graphs say that they are not full."""
    service, reasons = ExecutionGraphService(log=log), set()
    for number in range(tasks):
        try:
            graph = await service.get_graph(f"t-{number}")
        except ExecutionNotFound:
            continue
        if graph.summary.graph_completeness != "full":
            reasons.update(graph.annotations["completeness"])
    return reasons


@sized(rounds=10)
async def test_the_store_refuses_in_every_way(
    rounds: int, tmp_path: Path, reliability: ReliabilityReport
) -> None:
    """T9: each refusal is ruled rightly, so that nothing is lost and no other task pays."""
    journal = tmp_path / "journal"
    async with StoreServer(tmp_path / "store") as server:
        with server.admin() as admin:
            load = RecordingLoad(RedisLog(server.url), journal, max_events=10**6, refusal_limit=10**6)
            async with under_load(load):
                for provocation in [*PROVOCATIONS, *ON_NEW_CONNECTIONS] * rounds:
                    await load.goes_on(10)
                    await anyio.to_thread.run_sync(provocation.provoke, admin)
                    admin.script_flush() if provocation.code == "NOREPLICAS" else None
                    await load.goes_on(10)
                    await anyio.to_thread.run_sync(provocation.mend, admin)
                    await load.all_stored()
        async with RedisLog(server.url) as log:
            faults = rounds * len([*PROVOCATIONS, *ON_NEW_CONNECTIONS])
            findings = await judge_recorded(log, journal, faults=faults)
    assert load.answers[Durability.LOST] == 0
    reliability.add("T9 refusals", findings)


@sized(calls=5_000)
async def test_cancelled_calls_give_their_replies_to_nobody(
    calls: int, tmp_path: Path, reliability: ReliabilityReport
) -> None:
    """T12: reads and appends that are cancelled anywhere; whoever comes next gets an answer of their own."""
    seed = 12
    chance = random.Random(seed)
    print(f"seed {seed}")
    tasks = [address(f"t{number}") for number in range(20)]
    wrong = cancelled = 0

    async def read(log: RedisLog) -> None:
        nonlocal wrong
        wanted = chance.sample(tasks, 3)
        pages = await log.read([StreamRange(address=task) for task in wanted])
        for task, page in zip(wanted, pages, strict=True):
            own = all(entry.payload.startswith(task.task_id.encode() + b" ") for entry in page.entries)
            wrong += not own or page.address != task

    async def append(log: RedisLog) -> None:
        nonlocal wrong
        wanted = chance.sample(tasks, 3)
        marks = [b"%s %d" % (task.task_id.encode(), chance.getrandbits(64)) for task in wanted]
        results = await log.append([Append(task, mark) for task, mark in zip(wanted, marks, strict=True)])
        for task, mark, result in zip(wanted, marks, results, strict=True):
            assert isinstance(result, Appended)
            ranged = StreamRange(address=task, until=result.stream_id, limit=1, newest=True)
            ((entry,),) = [page.entries for page in await log.read([ranged])]
            wrong += entry.payload != mark

    async def call(log: RedisLog) -> None:
        nonlocal cancelled
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(chance.choice([read, append]), log)
                for _ in range(chance.randrange(12)):
                    await anyio.lowlevel.checkpoint()
                if chance.random() < 0.8:
                    cancelled += 1
                    scope.cancel()

    async def many(log: RedisLog) -> None:
        while cancelled < calls:
            await call(log)

    async with StoreServer(tmp_path, appendfsync="no") as server, RedisLog(server.url) as log:
        appended_ids(await log.append([Append(task, task.task_id.encode() + b" 0") for task in tasks]))
        async with anyio.create_task_group() as callers:
            for _ in range(4):
                callers.start_soon(many, log)
    reliability.add("T12 calls cancelled", Findings(faults=cancelled, unexpected=wrong))
