"""Connections under way: what becomes of them when a server is silent, talks too much or goes, and of who is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from servers import StoreUnderTest

from relayna.errors import StoreUnreachable
from relayna.streams.redis.client import ConnectionSettings, StoreClient
from relayna.streams.redis.failures import Failed

pytestmark = pytest.mark.anyio


class ScriptedServer:
    """Takes every connection, and says these things when it is asked, one a question; nothing after the last."""

    def __init__(self, *said: bytes) -> None:
        self._said = list(said)
        self.connections: list[asyncio.StreamWriter] = []
        self.port = 0
        self.open = 0

    def client(self, *, silence_seconds: float = 5.0, connections: int = 1) -> StoreClient:
        url = f"redis://127.0.0.1:{self.port}?socket_timeout={silence_seconds}"
        return StoreClient(ConnectionSettings.of(url), connections=connections, part=None)

    async def has_open(self, count: int) -> None:
        with anyio.fail_after(5):
            while self.open != count:
                await anyio.lowlevel.checkpoint()

    async def hang_up(self) -> None:
        for writer in self.connections:
            writer.close()
            await writer.wait_closed()
        for _ in range(3):  # the client's side of the loop hears of it
            await anyio.lowlevel.checkpoint()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield
            await self.hang_up()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(writer)
        self.open += 1
        while data := await reader.read(65_536):
            writer.write(b"+OK\r\n" * data.count(b"CLIENT\r\n"))
            if b"ASK\r\n" in data and self._said:
                writer.write(self._said.pop(0))
        self.open -= 1


async def test_silence_is_an_unknown_outcome_and_the_end_of_the_connection() -> None:
    server = ScriptedServer(b"+first\r\n")
    async with server.listening():
        client = server.client(silence_seconds=0.05)
        heard, unheard = await client.exchange([("ASK",), ("ASK",)])
        await client.aclose()

    assert heard == b"first"
    assert isinstance(unheard, Failed)
    assert isinstance(unheard.error, StoreUnreachable)
    assert unheard.outcome_unknown


async def test_who_asks_nothing_waits_for_nothing() -> None:
    server = ScriptedServer()
    async with server.listening():
        client = server.client(silence_seconds=60.0)
        with anyio.fail_after(5):
            assert await client.exchange([]) == []

    assert not server.connections


async def test_silence_counts_anew_for_each_exchange() -> None:
    server = ScriptedServer(b"+first\r\n", b"+second\r\n")
    async with server.listening():
        client = server.client(silence_seconds=1.0)
        heard = [await client.exchange([("ASK",)]) for _ in range(2)]
        (unheard,) = await client.exchange([("ASK",)])
        await client.aclose()

    assert heard == [[b"first"], [b"second"]]
    assert isinstance(unheard, Failed)
    assert unheard.outcome_unknown


@pytest.mark.parametrize("nonsense", [b"+one\r\n+two\r\n", b"?\r\n"], ids=["too much", "no RESP"])
async def test_who_says_something_else_is_not_asked_again(nonsense: bytes) -> None:
    server = ScriptedServer(nonsense, b"+fresh\r\n")
    async with server.listening():
        client = server.client()
        await client.exchange([("ASK",)])
        assert await client.exchange([("ASK",)]) == [b"fresh"]
        await client.aclose()

    assert len(server.connections) == 2


async def test_a_connection_that_was_closed_meanwhile_is_not_lent_again() -> None:
    server = ScriptedServer(b"+one\r\n", b"+two\r\n")
    async with server.listening():
        client = server.client()
        assert await client.ask("ASK") == b"one"
        await server.hang_up()
        assert await client.ask("ASK") == b"two"
        await client.aclose()


async def test_who_finds_none_free_waits(store: StoreUnderTest) -> None:
    client = StoreClient(ConnectionSettings.of(store.url), connections=1)
    said: list[object] = []

    async def echo(number: int) -> None:
        said.append(await client.ask("ECHO", number))

    async with anyio.create_task_group() as asking:
        for number in range(20):
            asking.start_soon(echo, number)
    await client.aclose()

    assert said == [str(number).encode() for number in range(20)]


async def test_the_reply_to_who_was_cancelled_is_nobody_elses(store: StoreUnderTest) -> None:
    client = StoreClient(ConnectionSettings.of(store.url), connections=1)
    await client.ask("PING")
    with anyio.CancelScope() as waiting:
        waiting.cancel()
        await client.ask("ECHO", "late")

    assert await client.ask("ECHO", "mine") == b"mine"
    await client.aclose()


async def test_closing_that_is_cut_short_leaves_nothing_open() -> None:
    server = ScriptedServer(*[b"+OK\r\n"] * 3)
    async with server.listening():
        client = server.client(connections=3)
        async with anyio.create_task_group() as asking:
            for _ in range(3):
                asking.start_soon(client.ask, "ASK")
        await server.has_open(3)
        with anyio.CancelScope() as closing:
            closing.cancel()
            await client.aclose()
        await server.has_open(0)


async def test_what_was_being_made_while_all_were_closed_is_not_kept() -> None:
    server = ScriptedServer(b"+one\r\n", b"+two\r\n")
    async with server.listening():
        client = server.client()
        async with anyio.create_task_group() as asking:
            asking.start_soon(client.ask, "ASK")
            await anyio.lowlevel.checkpoint()
            await client.aclose()
        await server.has_open(0)
        assert await client.ask("ASK") == b"two"
        await client.aclose()
