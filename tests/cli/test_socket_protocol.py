"""WebSockets of the guarded server: who takes nothing is let go, and who asks for what is no WebSocket is answered."""

from __future__ import annotations

import socket
from asyncio.transports import BaseTransport

import anyio
import anyio.to_thread
import httpx2
import pytest
from api.serving import serving
from observability.live_steps import Teller, until
from websockets.asyncio.client import connect

from relayna.api import RelaynaRuntime, create_app
from relayna.cli.http_protocol import GuardedHttp
from relayna.cli.socket_protocol import GuardedSocket
from relayna.events import RunEdgeRecorded
from relayna.ids import TaskId
from relayna.streams import MemoryLog
from relayna.testing import history

pytestmark = pytest.mark.anyio

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
EDGES = 1_500


class Hurried(GuardedSocket):
    """Waits no longer than a test, and has little room for what is not read."""

    stall_seconds = 0.2

    def connection_made(self, transport: BaseTransport) -> None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        super().connection_made(transport)


class HurriedHttp(GuardedHttp):
    """Waits no longer than a test for a request."""

    receive_seconds = 0.1


@pytest.fixture(autouse=True)
def lineage_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYNA_LINEAGE_EMIT", "1")
    monkeypatch.setenv("RELAYNA_LINEAGE_LIVE", "1")


def opening(host: str, path: str, **headers: str) -> bytes:
    """The request that opens a WebSocket."""
    given = {
        "Host": host, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13", **headers,
    }  # fmt: skip
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def connected(url: str) -> socket.socket:
    """A connection with little room for what it does not read."""
    address = httpx2.URL(url)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.connect((address.host, address.port or 0))
    client.settimeout(30)
    return client


async def test_who_takes_nothing_is_let_go() -> None:
    log = MemoryLog()
    attempt = history("S").published().attempt()
    for number in range(EDGES):
        attempt._say(RunEdgeRecorded(kind="timer_fire", target_run=TaskId("S"), label=str(number)))
    await Teller(log).tell(attempt)
    runtime = RelaynaRuntime(log=log)
    followers = runtime.live._count_followers
    async with serving(create_app(runtime), http=GuardedHttp, ws=Hurried) as url:
        with connected(url) as client:
            client.sendall(opening("127.0.0.1", "/ws/lineage/sessions/S"))
            begun = await anyio.to_thread.run_sync(client.recv, 12)
            assert begun == b"HTTP/1.1 101"
            await until(lambda: followers() == 1)
            await until(lambda: followers() == 0)


async def test_the_patience_for_a_request_ends_with_the_request() -> None:
    log = MemoryLog()
    story = history("S").published().attempt()
    teller = Teller(log)
    await teller.tell(story)
    async with (
        serving(create_app(RelaynaRuntime(log=log)), http=HurriedHttp, ws=GuardedSocket) as url,
        connect(f"{url.replace('http', 'ws', 1)}/ws/lineage/sessions/S") as followed,
    ):
        await followed.recv()
        with connected(url) as idle:  # as much later as the patience lasts
            assert await anyio.to_thread.run_sync(idle.recv, 1) == b""
        story.spawns("child")
        await teller.tell(story)
        assert b'"child"' in (await followed.recv(decode=False))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Large": "x" * 10_000}, 431),
        ({"Sec-WebSocket-Version": "7"}, 400),
        ({"Sec-WebSocket-Key": "no"}, 400),
    ],
)
async def test_what_is_no_opening_is_answered(headers: dict[str, str], status: int) -> None:
    app = create_app(RelaynaRuntime(log=MemoryLog()))
    async with serving(app, http=GuardedHttp, ws=GuardedSocket, h11_max_incomplete_event_size=24_000) as url:
        with connected(url) as client:
            client.sendall(opening("127.0.0.1", "/ws/lineage/sessions/S", **headers))
            answer = b"".join([part async for part in parts_of(client)])
    assert int(answer.split()[1]) == status


async def parts_of(client: socket.socket):  # type: ignore[no-untyped-def]  # a generator of bytes
    """Until the server closes."""
    while part := await anyio.to_thread.run_sync(client.recv, 65_536):
        yield part
