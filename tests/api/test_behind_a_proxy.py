"""Behind a proxy that serves us under a path of its own, whether it strips that path or not."""

from __future__ import annotations

import httpx2
import pytest
from api.serving import app_on, record, serving
from starlette.applications import Starlette
from starlette.routing import Mount

from relayna.api import RelaynaRuntime
from relayna.streams import MemoryLog

pytestmark = pytest.mark.anyio


async def test_a_proxy_that_strips_its_path_changes_nothing() -> None:
    log = MemoryLog()
    await record(log, "order/7", "completed")
    async with (
        serving(app_on(log), root_path="/tools/relayna") as url,
        httpx2.AsyncClient(base_url=url) as client,
    ):
        answer = await client.get("/executions/order%2F7/graph")
        assert (answer.status_code, answer.json()["task_id"]) == (200, "order/7")
        document = (await client.get("/openapi.json")).json()
        assert "/executions/{task_id}/graph" in document["paths"]


async def test_a_mount_under_a_prefix_behind_such_a_proxy_works_and_links_are_relative() -> None:
    log = MemoryLog()
    for number in range(3):
        await record(log, f"order-{number}", "completed")
    runtime = RelaynaRuntime(log=log)
    app = Starlette(routes=[Mount("/tasks", routes=runtime.routes())])
    async with (
        runtime,
        serving(app, root_path="/tools") as url,
        httpx2.AsyncClient(base_url=f"{url}/tasks") as client,
    ):
        assert (await client.get("/executions/order-1/graph")).status_code == 200
        first = await client.get("/executions/order-1/timeline", params={"limit": 1})
        assert first.status_code == 200
        assert "http" not in first.headers.get("link", "")
        live = await client.get("/executions/order-1/live", params={"depth": 0})
        assert "event: end" in live.text
