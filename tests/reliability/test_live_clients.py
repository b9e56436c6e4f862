"""T30: many live clients over TCP, of which some never read and some vanish."""

from __future__ import annotations

import random
import socket
import struct
from functools import partial
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketAttribute, TaskStatus
from consumer.rabbitmq.worker_process import WorkerProcess, worker_process
from reliability.live_reading import StepReading, live_events, live_socket
from reliability.live_watching import LastWords, blocked_connections, where_it_listens
from reliability.live_writer import steps_of, task_name
from reliability.report import Findings, ReliabilityReport
from reliability.sizes import sized
from servers import StoreUnderTest

pytestmark = [pytest.mark.anyio, pytest.mark.fault]

FULL = 500
APPENDS_A_SECOND = 100
MOST_GROWTH_MB = 200.0
MOST_MILLISECONDS = 2_000.0
HERE = Path(__file__).parent


@sized(clients=FULL, appends=3_000, tasks=50)
async def test_those_who_read_are_told_everything(
    clients: int, appends: int, tasks: int, any_store: StoreUnderTest, reliability: ReliabilityReport
) -> None:
    """One in five never reads, one in five goes away in the middle of it."""
    full = clients == FULL
    chance = random.Random(30)
    where = (any_store.url, any_store.prefix)
    numbers = str(tasks), str(appends), str(APPENDS_A_SECOND if full else 0)
    readings = [StepReading(task_name(number % tasks)) for number in range(clients)]
    good = [one for number, one in enumerate(readings) if number % 5 < 3]
    async with (
        worker_process(*where, *numbers, script=HERE / "live_writer.py") as writer,
        worker_process(*where, script=HERE / "live_server.py") as server,
    ):
        await writer.says("ready")
        url, pace = await where_it_listens(server), LastWords(writer)
        at_rest = megabytes(server, "VmRSS")
        async with anyio.create_task_group() as others:
            most = await others.start(blocked_connections, any_store)
            for number, one in enumerate(readings):
                if number % 5 == 3:
                    await others.start(stay_silent, url, one.task_id)
                elif number % 5 == 4:
                    others.start_soon(vanish, url, one, chance.randint(1, 20))
            async with anyio.create_task_group() as reading:
                for one in good:
                    await reading.start(partial(read, url, one))
                reading.start_soon(pace)
            others.cancel_scope.cancel()
        grown = megabytes(server, "VmHWM") - at_rest
    latencies = sorted(latency for one in good for latency in one.latencies_ms)
    p50, p99 = latencies[len(latencies) // 2], latencies[len(latencies) * 99 // 100]
    reliability.measured(
        "T30", clients=clients, events=sum(one.events for one in good), append_to_client_p50_ms=p50,
        append_to_client_p99_ms=p99, append_to_client_most_ms=latencies[-1], grown_by_MB=grown,
        blocked_connections=most.most, writer=pace.text,
    )  # fmt: skip
    assert most.most <= -(-2 * tasks // 64)
    assert not full or (grown < MOST_GROWTH_MB and p99 < MOST_MILLISECONDS)
    lost = sum(not one.ended or not one.has_all(steps_of(one.task_id, appends // tasks)) for one in good)
    unexpected = sum(one.faults.all for one in good)
    reliability.add(
        "T30 live clients",
        Findings(tasks=tasks, events=appends, faults=clients - len(good), lost=lost, unexpected=unexpected),
    )


async def read(
    url: str, one: StepReading, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    """Take everything, to the end. Has started with the first event."""
    async with await live_socket(url, one.task_id) as stream:
        async for event, version, data in live_events(stream):
            one.take(event, version, data)
            if one.events == 1:
                task_status.started()
            if one.ended:
                return


async def stay_silent(
    url: str, task_id: str, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    """Ask, and take nothing of the answer."""
    async with await live_socket(url, task_id):
        task_status.started()
        await anyio.sleep_forever()


async def vanish(url: str, one: StepReading, after: int) -> None:
    """Be gone in the middle of it, without a word."""
    async with await live_socket(url, one.task_id) as stream:
        async for event, version, data in live_events(stream):
            one.take(event, version, data)
            if one.events >= after or one.ended:
                break
        raw: socket.socket = stream.extra(SocketAttribute.raw_socket)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset, no goodbye


def megabytes(server: WorkerProcess, name: str) -> float:
    """How much memory the server's process has, by the name that Linux gives it."""
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024 / 1e6
