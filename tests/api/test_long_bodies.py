"""Bodies that are read as they come: which they are, how long they may be, and that each piece has its own time."""

from __future__ import annotations

import asyncio

import anyio
import anyio.lowlevel
import pytest
from api.test_limits import CHUNK, Exchange, echo, scope_of
from api.whole_service import guarded
from starlette.types import Message, Receive, Scope, Send

from relayna.api.limits import RequestLimits
from relayna.api.long_bodies import MOST_UPLOAD_BYTES, has_long_body
from relayna.api.problems import RequestRefused
from relayna.api.request_body import MOST_BODY_BYTES, bounded
from relayna.cli.http_protocol import GuardedHttp

pytestmark = pytest.mark.anyio

UPLOAD = "/traces/tasks/order-7/spans"


@pytest.mark.parametrize(
    ("method", "path", "is_long"),
    [
        ("POST", UPLOAD, True),
        ("POST", "/traces/tasks/spans", True),
        ("POST", "/api/traces/tasks/a/b/assets", True),
        ("GET", UPLOAD, False),
        ("POST", "/executions/traces/dead-letters/replay", False),
    ],
)
def test_only_uploads_are_long(method: str, path: str, is_long: bool) -> None:
    assert has_long_body(method, path) is is_long


async def test_they_may_be_longer_than_others() -> None:
    chunks = [CHUNK] * (2 * MOST_BODY_BYTES // len(CHUNK))
    for path, status in ((UPLOAD, 200), ("/executions", 413)):
        exchange = Exchange(*chunks)
        await RequestLimits(echo)(scope_of(path), exchange.receive, exchange.send)
        assert exchange.status == status


async def test_they_have_an_end_all_the_same() -> None:
    exchange = Exchange(CHUNK)
    headers = [("content-length", str(MOST_UPLOAD_BYTES + 1))]
    await RequestLimits(echo)(scope_of(UPLOAD, headers=headers), exchange.receive, exchange.send)
    assert (exchange.status, exchange.code) == (413, "body_too_large")


async def test_silence_ends_them() -> None:
    exchange = Exchange(CHUNK, complete=False)
    await RequestLimits(echo, body_seconds=0)(scope_of(UPLOAD), exchange.receive, exchange.send)
    assert (exchange.status, exchange.code) == (408, "body_too_slow")


@pytest.mark.parametrize("each", [True, False])
async def test_each_piece_has_its_own_time(monkeypatch: pytest.MonkeyPatch, each: bool) -> None:
    """The second piece comes when the time for the first one has long run out."""
    times = iter([anyio.current_time() - 2_000, anyio.current_time()])
    exchange = Exchange(CHUNK, CHUNK)

    async def receive() -> Message:
        if len(exchange.messages) == 1:
            await anyio.lowlevel.checkpoint()
        return await exchange.receive()

    monkeypatch.setattr("relayna.api.request_body.anyio.current_time", lambda: next(times))
    receive_bounded = bounded(receive, seconds=1_000, each=each)
    await receive_bounded()
    if each:
        assert (await receive_bounded())["more_body"] is False
    else:
        with pytest.raises(RequestRefused):
            await receive_bounded()


class Watched(GuardedHttp):
    """Remembers every deadline that it set, and tells of every piece."""

    deadlines: set[asyncio.TimerHandle]
    arrived: anyio.Event

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        Watched.arrived.set()

    def _watch_receiving(self) -> None:
        super()._watch_receiving()
        if self._receiving is not None:
            Watched.deadlines.add(self._receiving)


@pytest.mark.parametrize(("path", "deadlines"), [(UPLOAD, 4), ("/executions", 1)])
async def test_the_server_waits_anew_for_each_piece_of_an_upload(path: str, deadlines: int) -> None:
    Watched.deadlines = set()
    head = f"POST {path} HTTP/1.1\r\nHost: here\r\nContent-Length: 3\r\nConnection: close\r\n\r\n".encode()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await echo(scope, receive, send)

    async with guarded(app, Watched) as url:
        host, port = url.removeprefix("http://").split(":")
        async with await anyio.connect_tcp(host, int(port)) as stream:
            for piece in (head, b"x", b"y", b"z"):
                Watched.arrived = anyio.Event()
                await stream.send(piece)
                await Watched.arrived.wait()
            answer = b"".join([chunk async for chunk in stream])
    assert answer.endswith(b"3")
    assert len(Watched.deadlines) == deadlines
