"""Writing to and reading from a cluster of three masters, beside raw commands and one awaited XRANGE a stream.

All three share the machine's cores with us, so this says what routing costs and not what three machines carry.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

import anyio
from redis.asyncio import RedisCluster

from benchmarks.appended_events import LIVE_TASKS, events_in_turns, record_all
from benchmarks.case import Bench, Case, store_binary
from benchmarks.cluster_server import HOST, ClusterNode, three_masters
from benchmarks.figures import Figure
from benchmarks.histories import History
from benchmarks.measuring import interleaved_async
from benchmarks.raw_appends import send_raw
from benchmarks.targets import APPEND_CLUSTER
from benchmarks.workloads import WORKLOADS
from relayna.events import ChildRegistered, Envelope, Event, encode_event, encode_frame
from relayna.ids import EventId, TaskId
from relayna.instants import Instant
from relayna.observability.graph_service import ExecutionGraphService
from relayna.projections.graph import encode_graph
from relayna.streams import Append, NotAppended, TaskAddress
from relayna.streams.redis.log import RedisLog

__all__ = ["CLUSTER"]

_SIZES: Final = (20, 1_000)
_CHILDREN: Final = 100
_EVENTS_A_SAMPLE: Final = 2_000
_PARENT: Final = TaskId("report/2026")


def _run(bench: Bench) -> Iterator[Figure]:
    with three_masters(store_binary()) as masters:
        for live in LIVE_TASKS:
            yield from _appending(bench, masters, live, max(8_000, live * 8) if bench.quick else 64_000)
        yield from anyio.run(_reading, bench, _url(masters), bench.history(WORKLOADS[0], _SIZES[-1]))


def _url(masters: Sequence[ClusterNode]) -> str:
    return f"redis+cluster://{HOST}:{masters[0].port}"


def _appending(bench: Bench, masters: Sequence[ClusterNode], live: int, total: int) -> Iterator[Figure]:
    events = list(events_in_turns(live, total))
    urls = [master.url for master in masters]
    ours: list[float] = []
    raw: list[float] = []
    for _ in range(bench.rounds):
        raw.append(len(events) / anyio.run(send_raw, urls, bench.fresh_prefix(), events, encode_event))
        ours.append(len(events) / anyio.run(record_all, _url(masters), bench.fresh_prefix(), events))
    name = f"three masters, {live:,} live tasks"
    peer = f"{name}, raw commands"
    yield Figure(name=f"{name}, recorder", unit="events/s", samples=ours, target=APPEND_CLUSTER, beside=peer)
    yield Figure(name=peer, unit="events/s", samples=raw)
    ratios = [own / other for own, other in zip(ours, raw, strict=True)]
    yield Figure(name=f"{name}, recorder beside raw", unit="x", samples=ratios)


async def _reading(bench: Bench, url: str, history: History) -> list[Figure]:
    figures: list[Figure] = []
    async with RedisCluster.from_url(url.replace("redis+cluster", "redis")) as client:
        for size in _SIZES:
            log = RedisLog(url, prefix=bench.fresh_prefix())
            figures += await _read_beside(bench, client, log, history.first_appends(size), f"{size:,} events")
        log = RedisLog(url, prefix=bench.fresh_prefix())
        figures += await _read_beside(bench, client, log, list(_family()), f"{_CHILDREN} children")
    return figures


async def _read_beside(
    bench: Bench, client: RedisCluster, log: RedisLog, appends: Sequence[Append], name: str
) -> list[Figure]:
    """The graph of the first task, and a plain read of every stream that it is made of, one after the other."""
    addresses = dict.fromkeys(append.address for append in appends)
    async with log:
        for result in await log.append(appends):
            if isinstance(result, NotAppended):
                raise result.error
        service = ExecutionGraphService(log=log)
        task_id = appends[0].address.task_id
        streams = [log.keys.events(address) for address in addresses]

        async def graph() -> None:
            encode_graph(await service.get_graph(task_id))

        async def xrange() -> None:
            for stream in streams:
                await client.xrange(stream)

        times = max(1, _EVENTS_A_SAMPLE // max(len(appends), 20))
        ways: dict[str, Callable[[], Awaitable[object]]] = {"graph": graph, "XRANGE": xrange}
        samples = await interleaved_async(ways, rounds=bench.rounds, times=times)
    peer = f"{name}, XRANGE" if len(streams) == 1 else f"{name}, {len(streams)} XRANGE in turn"
    ratios = [one / other for one, other in zip(samples["graph"], samples["XRANGE"], strict=True)]
    return [
        Figure(
            name=f"{name}, graph", unit="ms", samples=[one * 1e3 for one in samples["graph"]], beside=peer
        ),
        Figure(name=peer, unit="ms", samples=[one * 1e3 for one in samples["XRANGE"]]),
        Figure(name=f"{name}, graph beside XRANGE", unit="x", samples=ratios),
    ]


def _family() -> Iterator[Append]:
    """A parent that registers its children, and the children: each has said one thing."""
    children = [TaskId(f"{_PARENT}/{number:03d}") for number in range(_CHILDREN)]
    yield _append(_PARENT, [_registered(_PARENT, child) for child in children])
    for child in children:
        yield _append(child, [_registered(child, TaskId(f"{child}/part"))])


def _registered(task_id: TaskId, child: TaskId) -> bytes:
    envelope = Envelope(
        event_id=EventId(f"{child}.registered"), timestamp=Instant(1_767_225_600_000_000), task_id=task_id
    )
    return encode_event(Event(envelope=envelope, body=ChildRegistered(child_task_id=child)))


def _append(task_id: TaskId, events: Sequence[bytes]) -> Append:
    return Append(TaskAddress(task_id), encode_frame(task_id, None, 1_767_225_600_000, events))


CLUSTER: Final = Case(
    "cluster", "Three masters on this machine: appending beside raw commands, graphs beside XRANGE.", _run
)
