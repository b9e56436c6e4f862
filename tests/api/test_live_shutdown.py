"""A server that is told to stop ends its live streams at once, and in good order."""

from __future__ import annotations

import signal
from pathlib import Path

import httpx2
import pytest
from api.event_streams import following
from api.live_sessions import Growing, reading_events, reading_socket
from consumer.rabbitmq.worker_process import worker_process
from observability.live_steps import Teller
from reliability.live_watching import where_it_listens
from servers import StoreUnderTest

from relayna.streams.redis import RedisLog
from relayna.testing import history

pytestmark = pytest.mark.anyio

SERVER = Path(__file__).parents[1] / "reliability" / "live_server.py"


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
async def test_streams_end_with_the_server(told: signal.Signals, any_store: StoreUnderTest) -> None:
    async with RedisLog(any_store.url, prefix=any_store.prefix) as log:
        await Teller(log).tell(history("T").published().attempt())
    async with worker_process(any_store.url, any_store.prefix, script=SERVER) as server:
        url = await where_it_listens(server)
        async with (
            httpx2.AsyncClient(base_url=url, timeout=60) as client,
            following(client, "/executions/T/live") as reader,
        ):
            await reader.until("snapshot")
            server.process.send_signal(told)
            # Cut off in the middle, the body would be incomplete: an error.
            assert await reader.next() is None
        await server.ends()


async def test_sessions_are_followed_in_a_service_of_its_own_and_end_with_it(
    any_store: StoreUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAYNA_LINEAGE_EMIT", "1")
    monkeypatch.setenv("RELAYNA_LINEAGE_LIVE", "1")
    async with RedisLog(any_store.url, prefix=any_store.prefix) as log:
        session = Growing(log, "ours")
        await session.begins()
        async with worker_process(any_store.url, any_store.prefix, script=SERVER) as server:
            url = await where_it_listens(server)
            async with (
                httpx2.AsyncClient(base_url=url, timeout=60) as client,
                reading_events(client, "ours") as events,
                reading_socket(client, "ours") as socket,
            ):
                await session.grows()
                for reader in (events, socket):
                    assert len(await reader.edges(4)) == 4
                server.process.send_signal(signal.SIGTERM)
                assert await events.next() is None
                assert await socket.next() is None
            await server.ends()
