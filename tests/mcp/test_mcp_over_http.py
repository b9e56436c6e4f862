"""The tools over streamable HTTP, in a host's app on a real server: beside HTTP, behind tokens, and closed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from api.serving import record, serving
from api.whole_service import token_entry
from fastapi import FastAPI
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_world import QUESTIONS, TASK, body_of, fill, said, without_age
from proxy import cutting_proxy
from servers import StoreUnderTest
from starlette.applications import Starlette
from starlette.routing import Route

from relayna.api import RelaynaRuntime
from relayna.api.access import Access
from relayna.api.tokens import TokenAccess
from relayna.mcp import McpApp, create_mcp_app
from relayna.observability import StatusStore
from relayna.streams import MemoryLog, checked_tenant
from relayna.streams.redis import RedisLog

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def lineage_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYNA_LINEAGE_READ", "1")


def host(
    runtime: RelaynaRuntime,
    mcp_app: McpApp,
    *,
    kind: type[Starlette] = Starlette,
    access: Access | None = None,
) -> Starlette:
    """A host's app with relayna's routes, and the tools at /mcp."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with runtime, mcp_app:
            yield

    app = kind(lifespan=lifespan)
    app.router.routes.extend(runtime.routes(access=access))
    app.router.routes.append(Route("/mcp", endpoint=mcp_app))
    return app


@pytest.mark.parametrize("kind", [Starlette, FastAPI])
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_all_tools_answer_as_http_does(kind: type[Starlette], mode: str) -> None:
    log = MemoryLog()
    await fill(log)
    runtime = RelaynaRuntime(log=log)
    assert runtime.indexer is not None
    await runtime.indexer.catch_up()
    async with (
        serving(host(runtime, create_mcp_app(runtime), kind=kind)) as url,
        httpx2.AsyncClient(base_url=url) as http,
        Client(f"{url}/mcp", mode=mode) as client,
    ):
        for name, arguments, route in QUESTIONS:
            body = body_of(await client.call_tool(name, arguments))
            answer = await http.get(route)
            assert answer.status_code == 200, answer.text
            assert without_age(body) == without_age(answer.json()), route


async def test_tools_of_lineage_are_there_while_its_routes_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    log = MemoryLog()
    await fill(log)
    runtime = RelaynaRuntime(log=log)
    async with serving(host(runtime, create_mcp_app(runtime))) as url, Client(f"{url}/mcp") as client:
        every = {tool.name for tool in (await client.list_tools()).tools}
        assert body_of(await client.call_tool("run_why", {"run_id": "order-9"}))["origin"] == "order-9"
        monkeypatch.delenv("RELAYNA_LINEAGE_READ")
        fewer = {tool.name for tool in (await client.list_tools(cache_mode="refresh")).tools}
        assert every - fewer == {"run_why", "run_upstream", "run_downstream", "session_dag"}
        with pytest.raises(MCPError, match="There is no tool 'run_why'"):
            await client.call_tool("run_why", {"run_id": "order-9"})


async def test_two_clients_share_one_app_and_neither_holds_a_session() -> None:
    log = MemoryLog()
    await record(log, "order-1", "completed")
    runtime = RelaynaRuntime(log=log)
    async with (
        serving(host(runtime, create_mcp_app(runtime))) as url,
        Client(f"{url}/mcp") as one,
        Client(f"{url}/mcp", mode="legacy") as other,
    ):
        for client in (one, other, one):
            told = body_of(await client.call_tool("status", {"task_id": "order-1"}))
            assert told["status"] == "completed"


async def test_a_token_sees_its_own_tenant_and_no_other(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(
        token_entry("acme", "acme-token", "read", tenant="acme") + token_entry("metrics", "other", "metrics")
    )
    log = MemoryLog()
    await record(log, "order-1", "completed")
    acme = StatusStore(log, tenant=checked_tenant("acme"))
    await acme.add_status("order-1", "failed", timestamp="2026-01-01T00:00:00Z", message_id="one")
    runtime, access = RelaynaRuntime(log=log), TokenAccess(tokens)
    async with serving(host(runtime, create_mcp_app(runtime, access=access), access=access)) as url:
        headers = {"Authorization": "Bearer acme-token"}
        async with httpx2.AsyncClient(headers=headers) as http:
            for mode in ("auto", "legacy"):
                async with Client(
                    streamable_http_client(f"{url}/mcp", http_client=http), mode=mode
                ) as client:
                    told = body_of(await client.call_tool("status", {"task_id": "order-1"}))
                    assert told["status"] == "failed"
        async with httpx2.AsyncClient() as http:
            answer = await http.post(f"{url}/mcp", json={})
            assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
            answer = await http.post(f"{url}/mcp", json={}, headers={"Authorization": "Bearer other"})
            assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")


@pytest.mark.parametrize(
    ("headers", "status"), [({"Host": "evil.example"}, 421), ({"Origin": "https://evil.example"}, 403)]
)
async def test_a_page_of_another_site_is_refused(headers: dict[str, str], status: int) -> None:
    runtime = RelaynaRuntime(log=MemoryLog())
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    asked = {"Accept": "application/json, text/event-stream", **headers}
    async with serving(host(runtime, create_mcp_app(runtime))) as url, httpx2.AsyncClient() as http:
        assert (await http.post(f"{url}/mcp", json=call, headers=asked)).status_code == status


async def test_a_request_has_bounds() -> None:
    runtime = RelaynaRuntime(log=MemoryLog())
    headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    async with serving(host(runtime, create_mcp_app(runtime))) as url, httpx2.AsyncClient() as http:
        answer = await http.post(f"{url}/mcp", content=b" " * 70_000, headers=headers)
        assert answer.status_code == 413


async def test_while_the_store_is_away_tools_say_so_and_answer_again_afterwards(
    any_store: StoreUnderTest,
) -> None:
    server = any_store.admin.get_connection_kwargs()
    async with cutting_proxy(server["host"], server["port"]) as proxy:
        log = RedisLog(proxy.url, prefix=any_store.prefix, shard_count=4)
        await record(log, TASK, "completed")
        runtime = RelaynaRuntime(log=log)
        async with serving(host(runtime, create_mcp_app(runtime))) as url, Client(f"{url}/mcp") as client:
            before = await client.call_tool("graph", {"task_id": TASK})
            proxy.cutting = True
            during = [await client.call_tool(tool, arguments) for tool, arguments, _ in QUESTIONS]
            proxy.cutting = False
            after = await client.call_tool("graph", {"task_id": TASK})

    assert body_of(after) == body_of(before)
    for result in during:
        assert result.is_error
        assert said(result).startswith("The store does not answer. Ask again later")
        assert str(server["port"]) not in said(result)


async def test_until_it_is_entered_it_says_so() -> None:
    runtime = RelaynaRuntime(log=MemoryLog())
    app = Starlette(routes=[Route("/mcp", endpoint=create_mcp_app(runtime))])
    async with serving(app) as url, httpx2.AsyncClient() as http:
        answer = await http.post(f"{url}/mcp", json={})
        assert (answer.status_code, answer.json()["code"]) == (503, "mcp_not_open")


async def test_it_can_be_entered_again() -> None:
    runtime = RelaynaRuntime(log=MemoryLog())
    app = create_mcp_app(runtime)
    for _ in range(2):
        async with serving(host(runtime, app)) as url, Client(f"{url}/mcp") as client:
            result = await client.call_tool("status", {"task_id": TASK})
            assert "Nothing is recorded" in said(result)
