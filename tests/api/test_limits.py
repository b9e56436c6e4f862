"""Requests that are too large, too slow or ambiguous are answered before anything of them is parsed."""

from __future__ import annotations

from collections.abc import Iterable

import anyio
import msgspec
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from relayna.api.host_check import KnownHosts
from relayna.api.limits import RequestLimits
from relayna.api.problems import RequestRefused
from relayna.api.request_body import bounded, whole_body

pytestmark = pytest.mark.anyio

CHUNK = b"x" * 1_000


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the length of the body."""
    body = await Request(scope, receive).body()
    await PlainTextResponse(str(len(body)))(scope, receive, send)


def scope_of(path: str = "/", query: str = "", headers: Iterable[tuple[str, str]] = ()) -> Scope:
    """A request as a server hands it on."""
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }


class Exchange:
    """Sends a body to an app, chunk by chunk, and keeps the answer. After the last chunk it falls silent."""

    def __init__(self, *chunks: bytes, complete: bool = True) -> None:
        self.messages: list[Message] = [
            {"type": "http.request", "body": chunk, "more_body": not complete or number < len(chunks)}
            for number, chunk in enumerate(chunks, 1)
        ]
        self.answer: list[Message] = []

    async def receive(self) -> Message:
        """The next chunk."""
        if self.messages:
            return self.messages.pop(0)
        return await anyio.sleep_forever()

    async def send(self, message: Message) -> None:
        """A part of the answer."""
        self.answer.append(message)

    @property
    def status(self) -> int:
        """Of the answer."""
        return int(self.answer[0]["status"])

    @property
    def code(self) -> str:
        """Of the problem that was answered."""
        return str(msgspec.json.decode(self.answer[1]["body"])["code"])

    @property
    def headers(self) -> dict[str, str]:
        """Of the answer."""
        return {name.decode(): value.decode() for name, value in self.answer[0]["headers"]}


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        (scope_of("/" + "x" * 4_094), 200),
        (scope_of("/" + "x" * 4_095), 414),
        (scope_of("/" + "x" * 2_000, "y" * 2_094), 200),
        (scope_of("/" + "x" * 2_000, "y" * 2_095), 414),
        (scope_of(headers=[("x", "y" * 16_379)]), 200),
        (scope_of(headers=[("x", "y" * 16_380)]), 431),
        (scope_of(headers=[("x", "")] * 3_276), 200),
        (scope_of(headers=[("x", "")] * 3_277), 431),
        (scope_of(headers=[("content-length", "65536")]), 200),
        (scope_of(headers=[("content-length", "65537")]), 413),
        (scope_of(headers=[("content-length", "0" * 50 + "1")]), 200),
        (scope_of(headers=[("content-length", "9" * 10_000)]), 413),
        (scope_of(headers=[("content-length", "1"), ("transfer-encoding", "chunked")]), 400),
        (scope_of(headers=[("content-encoding", "gzip")]), 415),
        (scope_of(headers=[("content-encoding", "identity"), ("content-encoding", "br")]), 415),
        (scope_of(headers=[("content-encoding", "Identity")]), 200),
    ],
)
async def test_what_a_request_may_be(scope: Scope, status: int) -> None:
    exchange = Exchange(b"body")
    await RequestLimits(echo)(scope, exchange.receive, exchange.send)
    assert exchange.status == status
    assert ("connection" in exchange.headers) is (status != 200)
    if status != 200:
        assert exchange.headers["content-type"] == "application/problem+json"


async def test_a_server_that_tells_no_raw_path() -> None:
    exchange = Exchange(b"")
    scope = scope_of("/" + "\N{GHOST}" * 400)
    del scope["raw_path"]
    await RequestLimits(echo)(scope, exchange.receive, exchange.send)
    assert exchange.status == 414


@pytest.mark.parametrize(("chunks", "status"), [(65, 200), (66, 413)])
async def test_a_body_is_counted(chunks: int, status: int) -> None:
    exchange = Exchange(*[CHUNK] * chunks)
    await RequestLimits(echo)(scope_of(), exchange.receive, exchange.send)
    assert exchange.status == status


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    exchange = Exchange(CHUNK, complete=False)
    await RequestLimits(echo, body_seconds=0.01)(scope_of(), exchange.receive, exchange.send)
    assert (exchange.status, exchange.code) == (408, "body_too_slow")


async def test_a_stream_whose_request_goes_on_ends_as_if_its_client_had_gone() -> None:
    heard: list[str] = []

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not heard or heard[-1] == "http.request":
            heard.append((await receive())["type"])

    exchange = Exchange(CHUNK, complete=False)
    await RequestLimits(stream, body_seconds=0.01)(scope_of(), exchange.receive, exchange.send)
    assert heard == ["http.request", "http.disconnect"]
    assert exchange.status == 200


async def test_a_whole_request_may_be_worked_on_for_long() -> None:
    receive = bounded(Exchange(b"").receive, seconds=0.01)
    assert (await receive())["type"] == "http.request"
    with anyio.move_on_after(0.05) as waiting:
        await receive()  # for the client to go away
    assert waiting.cancelled_caught


async def test_nobody_is_late_who_was_not_asked() -> None:
    receive = bounded(Exchange(b"").receive, seconds=0.0)
    await anyio.lowlevel.checkpoint()
    assert (await receive())["type"] == "http.request"


async def test_a_host_without_these_limits_has_those_of_the_body() -> None:
    with pytest.raises(RequestRefused) as refusal:
        await whole_body(Request(scope_of(), Exchange(*[CHUNK] * 66).receive))
    assert refusal.value.status == 413
    with pytest.raises(RequestRefused) as refusal:
        await whole_body(Request(scope_of(), Exchange(CHUNK, complete=False).receive), seconds=0.01)
    assert refusal.value.status == 408
    gone = Exchange()
    gone.messages.append({"type": "http.disconnect"})
    with pytest.raises(RequestRefused) as refusal:
        await whole_body(Request(scope_of(), gone.receive))
    assert (refusal.value.status, refusal.value.code) == (400, "incomplete_body")


async def test_what_is_no_request_is_handed_on() -> None:
    handed: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        handed.append(scope["type"])

    exchange = Exchange()
    await RequestLimits(app)({"type": "lifespan"}, exchange.receive, exchange.send)
    await KnownHosts(app)({"type": "lifespan"}, exchange.receive, exchange.send)
    assert handed == ["lifespan", "lifespan"]


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        (["127.0.0.1"], 200),
        (["127.0.0.1:8765"], 200),
        (["LocalHost:1"], 200),
        (["[::1]"], 200),
        (["[::1]:8765"], 200),
        (["relayna.internal:80"], 200),
        ([], 421),
        ([""], 421),
        (["evil.example"], 421),
        (["evil.example:8765"], 421),
        (["127.0.0.1.evil.example"], 421),
        (["127.0.0.1:"], 421),
        (["127.0.0.1:x"], 421),
        (["::1"], 421),
        (["127.0.0.1", "127.0.0.1"], 421),
        (["127.0.0.1, evil.example"], 421),
    ],
)
async def test_only_under_its_names(hosts: list[str], status: int) -> None:
    exchange = Exchange(b"")
    app = KnownHosts(echo, {"localhost", "127.0.0.1", "[::1]", "Relayna.Internal"})
    await app(scope_of(headers=[("host", host) for host in hosts]), exchange.receive, exchange.send)
    assert exchange.status == status
    if status == 421:
        assert exchange.code == "unknown_host"
