"""Waiting on real servers: patience, keys that are no streams, and how many connections it takes."""

from __future__ import annotations

from functools import partial

import anyio
import anyio.lowlevel
import pytest
from servers import StoreUnderTest
from streams.log_harness import ORDER, address, appended_ids
from streams.redis_harness import log_on

from relayna.errors import StoreUnreachable
from relayna.streams.keys import TaskAddress
from relayna.streams.log import START, Append, StreamState
from relayna.streams.redis.log import RedisLog

pytestmark = pytest.mark.anyio

OTHER = address("other")


def waiting_clients(store: StoreUnderTest) -> int:
    return int(store.admin.info("clients")["blocked_clients"])


async def until_waiting(store: StoreUnderTest, clients: int) -> None:
    with anyio.fail_after(10):
        while waiting_clients(store) != clients:
            await anyio.lowlevel.checkpoint()


async def test_a_wait_may_be_longer_than_the_patience_for_answers(store: StoreUnderTest) -> None:
    async with RedisLog(f"{store.url}?socket_timeout=0.1", prefix=store.prefix) as log:
        assert await log.changed({ORDER: START}, wait_seconds=0.5) == set()


async def test_what_is_no_stream_never_changes_and_harms_no_other(any_store: StoreUnderTest) -> None:
    async with log_on(any_store) as log:
        any_store.admin.set(log.keys.events(ORDER), "not a stream", ex=60)
        assert await log.states([ORDER, OTHER]) == [StreamState(), StreamState()]
        assert await log.changed({ORDER: START}, wait_seconds=0.01) == set()
        appended_ids(await log.append([Append(OTHER, b"x")]))
        assert await log.changed({ORDER: START, OTHER: START}, wait_seconds=60) == {OTHER}


async def test_one_that_becomes_none_while_waited_for_harms_no_other(any_store: StoreUnderTest) -> None:
    async with log_on(any_store) as log:
        appended_ids(await log.append([Append(ORDER, b"x")]))
        (state,) = await log.states([ORDER])
        assert state.last_id is not None
        known: dict[TaskAddress, object] = {}

        async def wait() -> None:
            known["found"] = await log.changed({ORDER: state.last_id or START, OTHER: START}, wait_seconds=60)

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await until_waiting(any_store, 1)
            any_store.admin.set(log.keys.events(ORDER), "not a stream", ex=60)
            appended_ids(await log.append([Append(OTHER, b"x")]))

    assert known["found"] == {OTHER}


async def test_a_connection_waits_for_sixty_four_streams(any_store: StoreUnderTest) -> None:
    tasks = [address(f"t{number}") for number in range(200)]
    async with log_on(any_store) as log, anyio.create_task_group() as group:
        group.start_soon(partial(log.changed, dict.fromkeys(tasks, START), wait_seconds=60))
        await until_waiting(any_store, 4)
        appended_ids(await log.append([Append(tasks[150], b"x")]))
        await until_waiting(any_store, 0)


async def test_more_than_connections_can_wait_for_are_asked_for_in_turn(any_store: StoreUnderTest) -> None:
    tasks = [address(f"t{number}") for number in range(64 * 32 + 1)]
    async with log_on(any_store) as log:
        assert await log.changed(dict.fromkeys(tasks, START), wait_seconds=0.1) == set()
        appended_ids(await log.append([Append(tasks[-1], b"x")]))
        assert await log.changed(dict.fromkeys(tasks, START), wait_seconds=60) == {tasks[-1]}
        assert waiting_clients(any_store) == 0


async def test_whoever_waits_on_a_log_that_is_closed_is_told(any_store: StoreUnderTest) -> None:
    log = log_on(any_store)
    told: list[StoreUnreachable] = []

    async def wait() -> None:
        try:
            await log.changed({ORDER: START}, wait_seconds=60)
        except StoreUnreachable as error:
            told.append(error)

    async with anyio.create_task_group() as group, log:
        group.start_soon(wait)
        await until_waiting(any_store, 1)
    with pytest.raises(StoreUnreachable, match="enter it first"):
        await log.changed({ORDER: START}, wait_seconds=0)

    assert len(told) == 1
