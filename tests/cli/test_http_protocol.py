"""Connections of clients that mean no good come to an end, and are told why where that is possible."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import anyio
import httpx2
import pytest
from api.whole_service import guarded, whole_app
from reliability.raw_client import connected
from starlette.types import Receive, Scope, Send

from relayna.api.runtime import RelaynaRuntime
from relayna.cli.http_protocol import GuardedHttp
from relayna.streams import MemoryLog

pytestmark = pytest.mark.anyio

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


class Hurried(GuardedHttp):
    """Waits no longer than a test."""

    receive_seconds = 0.2
    stall_seconds = 0.2


class Small(GuardedHttp):
    """Has room for few."""

    most_connections = 3


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """Of a service with its real deadlines."""
    async with guarded(whole_app(RelaynaRuntime(log=MemoryLog()))) as url:
        yield url


@pytest.fixture
async def hurried() -> AsyncIterator[str]:
    """Of a service that is in a hurry."""
    async with guarded(whole_app(RelaynaRuntime(log=MemoryLog())), Hurried) as url:
        yield url


@pytest.fixture
async def small() -> AsyncIterator[str]:
    """Of a service that has room for few."""
    async with guarded(whole_app(RelaynaRuntime(log=MemoryLog())), Small) as url:
        yield url


def code_of(answer: bytes) -> str:
    """The code of the problem that is the last answer."""
    return str(json.loads(answer.rpartition(b"\r\n\r\n")[2])["code"])


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n", 400, "malformed_request"),
        (b"GET /livez HTTP/1.1\r\n\r\n", 400, "malformed_request"),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nX : y\r\n\r\n", 400, "malformed_request"),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400, "malformed_request"),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "url_too_long"),
        (b"GET /" + b"x" * 5_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "url_too_long"),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 70_000, 431, "headers_too_large"),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 17_000 + b"\r\n\r\n", 431, "headers_too_large"),
        (b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", 405, "method_not_allowed"),
    ],
)
async def test_it_is_told_what_was_wrong_and_the_connection_ends(
    url: str, sent: bytes, status: int, code: str
) -> None:
    async with connected(url) as client:
        ending = await (await client.send([sent])).ending()
    assert (ending.statuses, code_of(ending.answer)) == ([status], code)
    assert b"x-content-type-options: nosniff" in ending.answer
    assert b"server:" not in ending.answer.lower()


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /livez HTTP/1.1\r\nHost: x\r\n",
        b"G",
        b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Le",
    ],
)
async def test_a_request_without_an_end_has_one(hurried: str, sent: bytes) -> None:
    async with connected(hurried) as client:
        ending = await (await client.send([sent])).ending()
    assert (ending.statuses, code_of(ending.answer)) == ([408], "request_too_slow")


async def test_a_head_request_that_is_too_slow_has_an_answer_without_a_body(url: str) -> None:
    async with connected(url) as client:
        sent = b"HEAD /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        ending = await (await client.send([sent])).ending()
    assert ending.statuses == [200]
    assert ending.answer.endswith(b"\r\n\r\n")


async def test_who_asks_nothing_is_told_nothing(hurried: str) -> None:
    async with connected(hurried) as client:
        assert (await client.ending()).answer == b""


async def test_bytes_that_trickle_do_not_move_the_deadline(hurried: str) -> None:
    async with connected(hurried) as client:
        await client.send([b"%c" % byte for byte in LIVEZ * 100], pause_seconds=0.02)
        ending = await client.ending()
    assert ending.statuses == [408]


class Unhurried(GuardedHttp):
    """Waits for one request longer than any takes, and not as long as all of them take."""

    receive_seconds = 2.0


async def test_each_request_of_a_connection_has_the_whole_time() -> None:
    app = whole_app(RelaynaRuntime(log=MemoryLog()))
    async with guarded(app, Unhurried) as url, connected(url) as client:
        for _ in range(5):
            await client.send([LIVEZ[:9]], pause_seconds=0.5)
            await client.send([LIVEZ[9:]])
        ending = await client.ending()
    assert ending.statuses == [200] * 5


async def test_an_answer_that_nobody_takes_is_not_kept() -> None:
    gone = anyio.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        async def until_the_client_is_gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            gone.set()
            answering.cancel_scope.cancel()

        async with anyio.create_task_group() as answering:
            answering.start_soon(until_the_client_is_gone)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while True:
                await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
                await anyio.lowlevel.checkpoint()

    async with guarded(endless, Hurried) as url, connected(url, listens=False) as client:
        await client.send([LIVEZ])
        with anyio.fail_after(30):
            await gone.wait()


async def test_more_connections_than_there_may_be_are_told_to_come_again(small: str) -> None:
    async with connected(small) as one, connected(small) as two, connected(small) as three:
        for client in (one, two, three):
            await client.send([LIVEZ[:5]])
        async with connected(small) as four:
            ending = await four.ending()
        assert (ending.statuses, code_of(ending.answer)) == ([503], "too_many_connections")
        assert b"retry-after:" in ending.answer.lower()
    async with httpx2.AsyncClient() as client:
        assert (await client.get(f"{small}/livez")).status_code == 200


async def test_garbage_behind_a_request_ends_the_connection_and_nothing_else(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(url) as client:
        ending = await (await client.send([LIVEZ + b"\0\0\0\r\n\r\n"])).ending()
    assert ending.statuses[0] == 200
    async with connected(url) as client:
        sent = b"POST /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\nzz\r\n"
        ending = await (await client.send([sent])).ending()
    assert ending.statuses[0] in (400, 405)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
