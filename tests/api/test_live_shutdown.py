"""A server that is told to stop ends its live streams at once, and in good order."""

from __future__ import annotations

import signal
from pathlib import Path

import httpx2
import pytest
from api.event_streams import following
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
