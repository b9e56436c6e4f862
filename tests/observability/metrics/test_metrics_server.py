"""The little server of a worker's metrics: `GET /metrics`, and nothing that could hurt the worker."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import pytest
from observability.metrics.promtool import ask_promtool

from relayna.clock import FrozenClock
from relayna.errors import InvalidSetting
from relayna.observability.metrics import PrometheusMeasures
from relayna.observability.metrics.metrics_server import MetricsServer

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def served(
    port: int = 0, clock: FrozenClock | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[MetricsServer]:
    server = MetricsServer(PrometheusMeasures().registry, host=host, port=port, clock=clock or FrozenClock())
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def asked(server: MetricsServer, request: str) -> tuple[str, dict[str, str], str]:
    """The first line of the answer, its fields and its body."""
    host, port = server.address or ("", 0)
    async with await anyio.connect_tcp(host, port) as stream:
        await stream.send(request.encode())
        await stream.send_eof()
        answer = b""
        with anyio.fail_after(10):
            async for chunk in stream:
                answer += chunk
    head, _, body = answer.decode().partition("\r\n\r\n")
    status, *fields = head.split("\r\n")
    return status, dict(field.lower().split(": ", 1) for field in fields), body


async def test_it_serves_what_prometheus_takes() -> None:
    async with served() as server:
        status, fields, body = await asked(server, "GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n")
    assert status == "HTTP/1.1 200 OK"
    assert fields["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert int(fields["content-length"]) == len(body.encode())
    assert ask_promtool("check", "metrics", given=body.encode()) == ""


async def test_a_scraper_that_names_open_metrics_gets_it() -> None:
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"
    async with served() as server:
        _, fields, body = await asked(server, f"GET /metrics?x=1 HTTP/1.1\r\naccept: {accept}\r\n\r\n")
    assert fields["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert body.endswith("# EOF\n")


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET / HTTP/1.1", "404"),
        ("GET /metrics/../etc HTTP/1.1", "404"),
        ("POST /metrics HTTP/1.1", "405"),
        ("DELETE /metrics HTTP/1.1", "405"),
        ("nonsense", "404"),
    ],
)
async def test_there_is_nothing_else(request_line: str, status: str) -> None:
    async with served() as server:
        answer, fields, _ = await asked(server, f"{request_line}\r\n\r\n")
    assert answer.split()[1] == status
    assert fields["connection"] == "close"


@pytest.mark.parametrize("request_text", ["", "GET /metrics HTTP/1.1\r\n", "GET /" + "x" * 70_000])
async def test_who_asks_for_nothing_or_too_much_gets_no_answer(request_text: str) -> None:
    async with served() as server:
        host, port = server.address or ("", 0)
        async with await anyio.connect_tcp(host, port) as stream:
            with anyio.fail_after(10):
                try:
                    await stream.send(request_text.encode())
                    await stream.send_eof()
                    assert await stream.receive() == b""
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    pass
        status, _, _ = await asked(server, "GET /metrics HTTP/1.1\r\n\r\n")
        assert status == "HTTP/1.1 200 OK"


async def test_those_who_only_connect_keep_nobody_from_the_end() -> None:
    async with served() as server:
        host, port = server.address or ("", 0)
        idle = [await anyio.connect_tcp(host, port) for _ in range(20)]
        with anyio.fail_after(10):
            while len(server._answering) < len(idle):
                await anyio.lowlevel.checkpoint()
        status, _, _ = await asked(server, "GET /metrics HTTP/1.1\r\n\r\n")
        assert status == "HTTP/1.1 503 Service Unavailable"
    assert server._answering == set()
    for stream in idle:
        await stream.aclose()


async def test_a_port_that_is_taken_is_served_when_it_is_free() -> None:
    clock = FrozenClock()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        async with served(port, clock) as server:
            assert server.address is None
            await anyio.wait_all_tasks_blocked()
            clock.advance(5)
            await anyio.wait_all_tasks_blocked()
            assert server.address is None
            other.close()
            clock.advance(5)
            with anyio.fail_after(10):
                while server.address is None:
                    await anyio.lowlevel.checkpoint()
            status, _, _ = await asked(server, "GET /metrics HTTP/1.1\r\n\r\n")
            assert status == "HTTP/1.1 200 OK"
    assert server.address is None


async def test_one_that_waits_for_its_port_can_be_stopped() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        async with served(other.getsockname()[1]) as server:
            assert server.address is None


async def test_an_address_that_is_not_ours_is_a_mistake_of_the_settings() -> None:
    with pytest.raises(InvalidSetting, match=r"cannot serve metrics on 192\.0\.2\.1"):
        async with served(host="192.0.2.1"):
            pass


async def test_a_forked_child_does_not_keep_the_port() -> None:
    async with served() as server:
        host, port = server.address or ("", 0)
        child = os.fork()
        if child == 0:
            os.kill(os.getpid(), signal.SIGSTOP)  # by now what is done first in a child is done
            os._exit(0)
        await anyio.to_thread.run_sync(os.waitpid, child, os.WUNTRACED)
    try:
        with socket.create_server((host, port)) as next_one:
            assert next_one.getsockname()[1] == port
    finally:
        os.kill(child, signal.SIGKILL)
        await anyio.to_thread.run_sync(os.waitpid, child, 0)
