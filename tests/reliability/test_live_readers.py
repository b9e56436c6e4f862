"""T29: readers of live executions while many appends a second go on."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import anyio
import httpx2
import pytest
from consumer.rabbitmq.worker_process import worker_process
from reliability.live_reading import WholeReading, live_events, live_socket
from reliability.live_watching import LastWords, blocked_connections, where_it_listens
from reliability.live_writer import task_name
from reliability.report import Findings, ReliabilityReport
from reliability.sizes import sized
from servers import StoreUnderTest

from relayna.projections.graph import encode_graph

pytestmark = [pytest.mark.anyio, pytest.mark.fault]

FULL = 40_000
APPENDS_A_SECOND = 2_000
READERS = 8
TASKS = 20
HERE = Path(__file__).parent


@sized(appends=FULL)
async def test_each_reader_sees_the_log_as_it_was(
    appends: int, any_store: StoreUnderTest, reliability: ReliabilityReport
) -> None:
    """What a reader holds after each event is a prefix of every stream; nothing is left out or told twice."""
    rate = APPENDS_A_SECOND if appends == FULL else 0
    where = (any_store.url, any_store.prefix)
    readings = [WholeReading(task_name(number)) for number in range(READERS)]
    async with (
        worker_process(*where, str(TASKS), str(appends), str(rate), script=HERE / "live_writer.py") as writer,
        worker_process(*where, script=HERE / "live_server.py") as server,
    ):
        await writer.says("ready")
        url, pace = await where_it_listens(server), LastWords(writer)
        async with anyio.create_task_group() as watching:
            most = await watching.start(blocked_connections, any_store)
            async with anyio.create_task_group() as reading:
                for one in readings:
                    reading.start_soon(partial(read, url, one))
                reading.start_soon(pace)
            watching.cancel_scope.cancel()
        async with httpx2.AsyncClient(base_url=url) as client:
            for one in readings:
                assert one.graph is not None
                answer = await client.get(f"/executions/{one.task_id}/graph")
                assert answer.content == encode_graph(one.graph)
    reliability.measured(
        "T29", events=sum(one.events for one in readings), blocked_connections=most.most,
        gaps=sum(one.faults.gaps for one in readings), repeats=sum(one.faults.repeats for one in readings),
        not_prefixes=sum(one.faults.not_prefixes for one in readings), writer=pace.text,
    )  # fmt: skip
    assert most.most <= 1  # for 16 streams
    unfinished = sum(not one.ended or one.steps != appends // TASKS for one in readings)
    reliability.add(
        "T29 live readers",
        Findings(
            tasks=TASKS, events=appends, lost=unfinished, unexpected=sum(one.faults.all for one in readings)
        ),
    )


async def read(url: str, one: WholeReading) -> None:
    async with await live_socket(url, one.task_id) as stream:
        async for event, version, data in live_events(stream):
            one.take(event, version, data)
            if one.ended:
                return
