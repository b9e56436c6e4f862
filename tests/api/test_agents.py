"""Agents' reliability over HTTP: what is answered, what is refused, and that nothing is answered while it is off."""

from __future__ import annotations

import pytest
from api.serving import Serve
from observability.recorded_run_steps import edge_to, recorded, some_run

from relayna.api import RelaynaRuntime, create_app
from relayna.clock import SystemClock
from relayna.instants import Instant
from relayna.streams import Log

pytestmark = pytest.mark.anyio

PATH = "/lineage/agents/reliability"


@pytest.mark.parametrize("log", ["memory"], indirect=True)
async def test_it_is_off_unless_it_is_on(serve: Serve, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await serve(create_app(RelaynaRuntime(log=log)))
    monkeypatch.delenv("RELAYNA_LINEAGE_READ", raising=False)
    answer = await client.get(PATH)
    assert (answer.status_code, answer.json()["code"]) == (404, "lineage_is_off")
    monkeypatch.setenv("RELAYNA_LINEAGE_READ", "1")
    assert (await client.get(PATH)).json()["agents"] == []


async def test_each_agent_is_told(serve: Serve, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYNA_LINEAGE_READ", "true")
    runtime = RelaynaRuntime(log=log)
    client = await serve(create_app(runtime))
    began = SystemClock().now()
    run = some_run("R", began)
    assert runtime.lineage_watch is not None
    records = runtime.lineage_watch.records
    await records.restore([recorded(run, [edge_to(run, "user_start")])])
    told = (await client.get(PATH, params={"window": "7d"})).json()
    assert told["agents"] == [
        {
            "agent": "clerk", "completed": 1, "failed": 0, "dead_lettered": 0, "running": 0, "cancelled": 0,
            "success": 1.0, "by_kind": {"user_start": 1},
        }
    ]  # fmt: skip
    assert (told["runs"], told["left_out"], told["unreadable"]) == (1, 0, 0)


@pytest.mark.parametrize("log", ["memory"], indirect=True)
@pytest.mark.parametrize("window", ["", "soon", "24", "400d"])
async def test_what_is_no_window_is_refused(
    serve: Serve, log: Log, monkeypatch: pytest.MonkeyPatch, window: str
) -> None:
    monkeypatch.setenv("RELAYNA_LINEAGE_READ", "true")
    client = await serve(create_app(RelaynaRuntime(log=log)))
    answer = await client.get(PATH, params={"window": window})
    assert answer.status_code == 422
    assert "'window'" in answer.json()["detail"]


async def test_the_watch_names_a_run_without_a_birth(
    serve: Serve, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAYNA_LINEAGE_READ", "true")
    runtime = RelaynaRuntime(log=log)
    client = await serve(create_app(runtime))
    assert runtime.lineage_watch is not None
    began = Instant(SystemClock().now() - 60_000_000)
    await runtime.lineage_watch.records.restore([recorded(some_run("R", began))])
    found = await runtime.lineage_watch.check()
    assert [run.run_id for run in found.without_birth] == ["R"]
    assert "relayna_lineage_runs_without_birth 1.0" in (await client.get("/metrics")).text
