"""Sessions followed live, over Server-Sent Events and WebSockets: every edge once, nobody else's, and who may follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import httpx2
import pytest
from api.live_sessions import Growing, Reader, reading_events, reading_socket, socket_url
from api.serving import Serve, app_on
from api.whole_service import guarded, token_entry, whole_app
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from relayna.api import RelaynaRuntime
from relayna.api.host_check import KnownHosts
from relayna.api.tokens import TokenAccess
from relayna.streams import Log, MemoryLog

pytestmark = pytest.mark.anyio

Follow: TypeAlias = Callable[..., AbstractAsyncContextManager[Reader]]

BOTH = pytest.mark.parametrize("follow", [reading_events, reading_socket], ids=["events", "socket"])
STEPS = 5
EDGES_A_STEP = 3


@pytest.fixture(autouse=True)
def lineage_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EMIT", "READ", "LIVE"):
        monkeypatch.setenv(f"RELAYNA_LINEAGE_{name}", "1")


async def edges_of(client: httpx2.AsyncClient, session_id: str) -> list[dict[str, Any]]:
    """What the graph of the session has."""
    found: list[dict[str, Any]] = (await client.get(f"/lineage/sessions/{session_id}/graph")).json()["edges"]
    return found


def names(edges: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(edge["edge_id"], edge["kind"], edge["source_run"], edge["target_run"]) for edge in edges]


@BOTH
async def test_every_edge_comes_once_and_nobody_elses(serve: Serve, log: Log, follow: Follow) -> None:
    client = await serve(app_on(log))
    ours, theirs = Growing(log, "ours"), Growing(log, "theirs")
    await ours.begins()
    await theirs.begins()
    async with follow(client, "ours") as reader:
        await reader.edges(1)
        for _ in range(STEPS):
            await ours.grows()
            await theirs.grows()
        told = await reader.edges(1 + STEPS * EDGES_A_STEP)
    assert sorted(names(told)) == sorted(names(await edges_of(client, "ours")))
    assert {edge["session_id"] for edge in told} == {"ours"}
    assert {one.event for one in reader.told} == {"edge"}
    ids = [one.id for one in reader.told]
    assert len(set(ids)) == len(ids)


@BOTH
async def test_whoever_comes_back_misses_nothing_and_is_told_nothing_twice(
    serve: Serve, log: Log, follow: Follow
) -> None:
    client = await serve(app_on(log))
    session = Growing(log, "ours")
    await session.begins()
    told: list[dict[str, Any]] = []
    after: str | None = None
    for step in range(STEPS):
        await session.grows()
        path, headers = "ours", {"Last-Event-ID": after or ""}
        if step % 2:
            path, headers = f"ours?after={after}", {}
        async with follow(client, path, headers) as reader:
            told += await reader.edges(2)  # and goes away in the middle
            after = reader.last_id
    async with follow(client, "ours", {"Last-Event-ID": after or ""}) as reader:
        told += await reader.edges(1 + STEPS * EDGES_A_STEP - len(told))
    assert sorted(names(told)) == sorted(names(await edges_of(client, "ours")))
    assert len(set(names(told))) == len(told)


async def test_another_process_goes_on_where_the_first_one_was(serve: Serve, log: Log) -> None:
    first, second = await serve(app_on(log)), await serve(app_on(log))
    session = Growing(log, "ours")
    await session.begins()
    await session.grows()
    async with reading_events(first, "ours") as reader:
        told = await reader.edges(3)
    await session.grows()
    async with reading_socket(second, "ours", {"Last-Event-ID": reader.last_id or ""}) as other:
        told = told + await other.edges(4)
    assert names(told) == names(await edges_of(first, "ours"))
    async with reading_events(second, "ours?after=3-0123456789abcdef") as reader:
        assert (await reader.next()).event == "gap"  # type: ignore[union-attr]  # there is one
        assert len(await reader.edges(7)) == 7


@BOTH
async def test_any_run_of_the_session_leads_to_it_and_any_id_by_query(
    serve: Serve, log: Log, follow: Follow
) -> None:
    client = await serve(app_on(log))
    session = Growing(log, "a/b {c}")
    await session.begins()
    await session.grows()
    async with follow(client, "?session_id=a%2Fb%20%7Bc%7D-1-1") as reader:
        assert len(await reader.edges(4)) == 4


@pytest.mark.parametrize("off", ["EMIT", "LIVE"])
async def test_it_is_off_unless_both_are_on(serve: Serve, monkeypatch: pytest.MonkeyPatch, off: str) -> None:
    log = MemoryLog()
    client = await serve(app_on(log))
    await Growing(log, "ours").begins()
    monkeypatch.delenv(f"RELAYNA_LINEAGE_{off}")
    answer = await client.get("/lineage/sessions/ours/live")
    assert (answer.status_code, answer.json()["code"]) == (404, "lineage_live_is_off")
    with pytest.raises(InvalidStatus) as refused:
        await connect(socket_url(client, "/ws/lineage/sessions/ours")).__aenter__()
    assert refused.value.response.status_code == 404
    assert b"lineage_live_is_off" in (refused.value.response.body or b"")
    monkeypatch.setenv(f"RELAYNA_LINEAGE_{off}", "on")
    async with reading_socket(client, "ours") as reader:
        await reader.edges(1)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/ws/lineage/sessions/nobody", {}, 404),
        ("/ws/lineage/sessions", {}, 422),
        ("/ws/lineage/sessions?session_id=a&session_id=b", {}, 422),
        ("/ws/lineage/sessions/ours", {"Origin": "https://evil.example"}, 403),
        ("/ws/lineage/sessions/ours", {"Origin": "null"}, 403),
        ("/ws/lineage/sessions/" + "x" * 5_000, {}, 414),
        ("/ws/lineage/sessions/ours", {f"X-{number}": "x" * 6_000 for number in range(3)}, 431),
        ("/ws/elsewhere", {}, 403),
    ],
)
async def test_what_no_socket_is_opened_for(
    serve: Serve, path: str, headers: Mapping[str, str], status: int
) -> None:
    log = MemoryLog()
    client = await serve(app_on(log))
    await Growing(log, "ours").begins()
    with pytest.raises(InvalidStatus) as refused:
        await connect(socket_url(client, path), additional_headers=headers).__aenter__()
    assert refused.value.response.status_code == status


async def test_a_page_of_our_own_may_follow_and_one_under_another_name_may_not(serve: Serve) -> None:
    log = MemoryLog()
    client = await serve(KnownHosts(app_on(log)))
    await Growing(log, "ours").begins()
    own = f"http://{client.base_url.host}:{client.base_url.port}"
    async with reading_socket(client, "ours", {"Origin": own}) as reader:
        await reader.edges(1)
    url = socket_url(client, "/ws/lineage/sessions/ours").replace("127.0.0.1", "localhost")
    with pytest.raises(InvalidStatus) as refused:
        await connect(url, host="127.0.0.1", additional_headers={"Origin": own}).__aenter__()
    assert refused.value.response.status_code == 403
    url = url.replace("localhost", "evil.example")
    with pytest.raises(InvalidStatus) as refused:
        await connect(url, host="127.0.0.1").__aenter__()
    assert refused.value.response.status_code == 421


async def test_who_talks_is_told_that_nobody_listens(serve: Serve) -> None:
    log = MemoryLog()
    client = await serve(app_on(log))
    await Growing(log, "ours").begins()
    async with connect(socket_url(client, "/ws/lineage/sessions/ours")) as socket:
        await socket.recv()
        await socket.send("hello")
        with anyio.fail_after(20):
            await socket.wait_closed()
        assert socket.close_code == 1003


async def test_a_token_follows_its_own_tenant_alone(tmp_path: Path) -> None:
    log, tokens = MemoryLog(), tmp_path / "tokens.toml"
    tokens.write_text(
        token_entry("ours", "our-token", "read")
        + token_entry("acme", "acme-token", "read", tenant="acme")
        + token_entry("metrics", "other", "metrics")
    )
    await Growing(log, "ours").begins()
    app = whole_app(RelaynaRuntime(log=log), access=TokenAccess(tokens))
    async with guarded(app) as url, httpx2.AsyncClient(base_url=url) as client:
        for token, status in (("acme-token", 404), ("other", 403), ("unknown", 401)):
            with pytest.raises(InvalidStatus) as refused:
                await reading_socket(client, "ours", {"Authorization": f"Bearer {token}"}).__aenter__()
            assert refused.value.response.status_code == status
        async with reading_socket(client, "ours", {"Authorization": "Bearer our-token"}) as reader:
            await reader.edges(1)


async def test_a_header_that_is_too_long_for_a_socket_is_answered() -> None:
    app = whole_app(RelaynaRuntime(log=MemoryLog()))
    async with guarded(app) as url, httpx2.AsyncClient(base_url=url) as client:
        with pytest.raises(InvalidStatus) as refused:
            await reading_socket(client, "ours", {"X-Large": "x" * 10_000}).__aenter__()
        assert refused.value.response.status_code == 431
        assert b"headers_too_large" in (refused.value.response.body or b"")
