"""A real master dies and a replica takes its place that has not seen everything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from proxy import CuttingProxy, cutting_proxy
from reliability.store_server import StoreServer
from streams.log_harness import address
from streams.recording_steps import CountedSignals, make_recorder, said, sampled, status

from relayna.clock import SystemClock
from relayna.events import EventsLost, TaskMessageAcked, TaskMessageReceived
from relayna.observability import ExecutionGraphService
from relayna.streams.log import StreamRange
from relayna.streams.recording.recorder import Recorder
from relayna.streams.redis.log import RedisLog
from relayna.streams.replay import replay
from relayna.streams.sink import Durability

pytestmark = [pytest.mark.anyio, pytest.mark.fault]


class Pair:
    """A master, a replica that follows it until it is told not to, and an address that leads to either."""

    def __init__(self, master: StoreServer, replica: StoreServer, proxy: CuttingProxy) -> None:
        self.proxy = proxy
        self._master = master
        self._replica = replica

    async def lag(self) -> None:
        """The replica has all there is now, and gets no more."""
        await anyio.to_thread.run_sync(self._lag)

    async def fail_over(self) -> None:
        """The master dies, and the address leads to the replica."""
        await self._master.kill()
        self.proxy.lead_to("127.0.0.1", self._replica.port)

    def follow(self) -> None:
        with self._replica.admin() as replica:
            replica.replicaof("127.0.0.1", self._master.port)

    def _lag(self) -> None:
        with self._master.admin() as master, self._replica.admin() as replica:
            # Only a write of the same connection is waited for.
            master.set("mark", "1", ex=60)
            assert master.wait(1, 10_000) == 1
            replica.replicaof("NO", "ONE")


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with (
        StoreServer(tmp_path / "master", repl_diskless_sync_delay="0") as master,
        StoreServer(tmp_path / "replica") as replica,
        cutting_proxy("127.0.0.1", master.port) as proxy,
    ):
        both = Pair(master, replica, proxy)
        await anyio.to_thread.run_sync(both.follow)
        yield both


def recorder_on(pair: Pair, **arguments: object) -> Recorder:
    return make_recorder(RedisLog(pair.proxy.url), clock=SystemClock(), **arguments)


async def until_stored(recorder: Recorder) -> None:
    """Losses that were found are confessed by then."""
    with anyio.fail_after(30):
        while await recorder.durable(budget_seconds=30) is not Durability.STORED:
            await anyio.lowlevel.checkpoint()


async def test_what_the_replica_lacks_is_stored_again(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    signals = CountedSignals()
    async with recorder_on(pair, counters=signals) as recorder, RedisLog(pair.proxy.url) as log:
        recorder.record(sampled(0))
        recorder.record(sampled(0, task="quiet"))
        assert await recorder.durable(budget_seconds=30) is Durability.STORED
        await pair.lag()
        for seq in (1, 2):
            recorder.record(sampled(seq))
            assert await recorder.durable(budget_seconds=30) is Durability.STORED
        await pair.fail_over()
        recorder.record(sampled(3))
        await until_stored(recorder)
        events = (await replay(log, [address("order")]))[0].events
        (page,) = await log.read([StreamRange(address=address("order"))])

    assert sorted(event.envelope.seq or 0 for event in events) == [0, 1, 2, 3]
    assert len(page.entries) == 4  # each frame once
    assert signals["relayna_records_total{outcome=stored_again,source=observation}"] == 2
    assert "2 events are stored again, 0 are gone" in caplog.text


async def test_what_is_not_kept_any_more_is_confessed(pair: Pair) -> None:
    async with recorder_on(pair, window_bytes=0) as recorder, RedisLog(pair.proxy.url) as log:
        recorder.record(said(TaskMessageReceived(), seq=0))
        assert await recorder.durable(budget_seconds=30) is Durability.STORED
        await pair.lag()
        for seq in (1, 2):
            recorder.record(sampled(seq))
        recorder.record(said(TaskMessageAcked(), seq=3))
        recorder.record(status("completed", task="other"))
        assert await recorder.durable(budget_seconds=30) is Durability.STORED
        await pair.fail_over()
        recorder.record(sampled(0, task="third"))
        await until_stored(recorder)
        order, other = await replay(log, [address("order"), address("other")])
        summary = (await ExecutionGraphService(log=log).get_graph("order")).summary

    assert [event.body for event in order.events if isinstance(event.body, EventsLost)] == [
        EventsLost(seq_ranges=((1, 3),), count=3, reason="failover", outcome="TaskMessageAcked")
    ]
    assert [event.body for event in other.events] == [EventsLost(count=1, reason="failover")]
    assert summary.graph_completeness == "partial"


async def test_it_is_noticed_although_nothing_was_on_its_way(pair: Pair) -> None:
    """The connection is made anew before anything is sent, so that no append fails."""
    async with recorder_on(pair) as recorder, RedisLog(pair.proxy.url) as log:
        await pair.lag()
        recorder.record(sampled(0))
        assert await recorder.durable(budget_seconds=30) is Durability.STORED
        await pair.fail_over()
        recorder.record(sampled(0, task="other"))
        await until_stored(recorder)
        (order,) = await replay(log, [address("order")])

    assert [event.envelope.seq for event in order.events] == [0]


async def test_a_restart_that_loses_nothing_stores_nothing_again(tmp_path: Path) -> None:
    signals = CountedSignals()
    async with StoreServer(tmp_path) as server:
        arguments = {"clock": SystemClock(), "counters": signals}
        async with make_recorder(RedisLog(server.url), **arguments) as recorder:
            recorder.record(sampled(0))
            assert await recorder.durable(budget_seconds=30) is Durability.STORED
            await server.kill()
            await server.restart()
            recorder.record(sampled(1))
            await until_stored(recorder)
            (order,) = await replay(recorder._log, [address("order")])

    assert [event.envelope.seq for event in order.events] == [0, 1]
    assert signals["relayna_records_total{outcome=stored_again,source=observation}"] == 0
