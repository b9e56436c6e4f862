"""A recorder behind a network that is slow, silent or closed: nothing is lost, and nobody waits beyond the budget."""

from __future__ import annotations

from urllib.parse import urlsplit

import anyio
import pytest
from proxy import cutting_proxy
from servers import StoreUnderTest
from streams.recording_steps import sampled

from relayna.ids import TaskId
from relayna.streams import Durability, Recorder
from relayna.streams.redis import RedisLog

pytestmark = [pytest.mark.anyio, pytest.mark.fault]

COUNT = 50


@pytest.mark.parametrize("trouble", ["slow", "silent", "refused"])
async def test_all_is_stored_once_when_the_network_is_well_again(
    trouble: str, any_store: StoreUnderTest
) -> None:
    where = urlsplit(any_store.url)
    async with cutting_proxy(where.hostname or "", where.port or 0) as proxy:
        log = RedisLog(f"{proxy.url}?socket_timeout=0.2&socket_connect_timeout=0.2", prefix=any_store.prefix)
        async with Recorder(log) as recorder:
            recorder.record(sampled(0))
            assert await recorder.durable(budget_seconds=5) is Durability.STORED
            match trouble:
                case "slow":
                    proxy.delay_seconds = 0.05
                case "silent":
                    proxy.fall_silent()
                case "refused":
                    proxy.refusing = proxy.cutting = True
            for number in range(1, COUNT):
                recorder.record(sampled(number))
            with anyio.fail_after(5):
                answer = await recorder.durable(budget_seconds=0.02)
            assert answer is Durability.PENDING
            proxy.delay_seconds, proxy.refusing, proxy.cutting = 0.0, False, False
            proxy.speak_again()
            with anyio.fail_after(30):
                while await recorder.durable(budget_seconds=1) is not Durability.STORED:
                    await anyio.lowlevel.checkpoint()
            told = [event.envelope.event_id for event in await recorder.read(TaskId("order"))]
    assert told == [sampled(number).envelope.event_id for number in range(COUNT)]
