"""Answers that are too large are cut, say so, and lead on to the rest."""

from __future__ import annotations

import msgspec
import pytest
from mcp_world import fill
from observability.kept_histories import keep

from relayna.api import RelaynaRuntime
from relayna.mcp.answering import Answered, Refused, answer_call
from relayna.mcp.fitting import MOST_BYTES
from relayna.mcp.tools import TOOLS, Tool
from relayna.streams import Log, MemoryLog
from relayna.testing import history

pytestmark = pytest.mark.anyio

BY_NAME = {tool.name: tool for tool in TOOLS}
STATUSES = 900


async def filled() -> tuple[RelaynaRuntime, Log]:
    """A task with many statuses, and many tasks."""
    log = MemoryLog()
    many = history("order-7", tick=0.5).published()
    for number in range(STATUSES):
        many.status(f"step-{number}")
    await keep(log, many.events)
    for number in range(180):
        attempt = history(f"task-{number:03}", tick=0.5 + number).published().attempt()
        await keep(log, attempt.fails("TimeoutError", "x" * 290).dead_lettered().events)
    runtime = RelaynaRuntime(log=log)
    assert runtime.indexer is not None
    async with log:
        await runtime.indexer.catch_up()
    return runtime, log


async def call(runtime: RelaynaRuntime, tool: Tool, **arguments: object) -> dict[str, object]:
    answer = await answer_call(tool, runtime.services, arguments)
    assert isinstance(answer, Answered), answer
    assert len(msgspec.json.encode(answer.body)) <= MOST_BYTES
    return answer.body


@pytest.mark.parametrize(
    ("name", "entries", "key", "arguments"),
    [
        ("timeline", "entries", "event_id", {"task_id": "order-7", "limit": 1000}),
        ("search", "executions", "task_id", {"limit": 200}),
        ("failures", "failures", "ref", {"limit": 200}),
        ("dead_letters", "dead_letters", "ref", {"limit": 200}),
    ],
)
async def test_pages_that_are_cut_lead_through_everything(
    name: str, entries: str, key: str, arguments: dict[str, object]
) -> None:
    runtime, log = await filled()
    tool = BY_NAME[name]
    async with log:
        whole = await tool.answer(runtime.services, msgspec.convert(arguments, tool.asks))
        first = body = await call(runtime, tool, **arguments)
        found = [entry[key] for entry in body[entries]]
        while body["next"] is not None:
            body = await call(runtime, tool, **{**arguments, "cursor": body["next"]})
            found += [entry[key] for entry in body[entries]]
    wanted = [entry[key] for entry in msgspec.to_builtins(whole)[entries]]
    assert len(msgspec.json.encode(whole)) > MOST_BYTES
    assert "too large and is cut" in first["cut"]
    assert "Give `next` as `cursor`" in first["cut"]
    assert found == wanted


async def test_a_graph_that_is_cut_is_a_graph() -> None:
    runtime, log = await filled()
    async with log:
        body = await call(runtime, BY_NAME["graph"], task_id="order-7", max_nodes=5000)
    nodes = {node["id"] for node in body["nodes"]}
    assert len(nodes) > 10
    assert {end for edge in body["edges"] for end in (edge["source"], edge["target"])} <= nodes
    assert "max_nodes=" in body["cut"]
    assert body["annotations"]["truncated"]


async def test_a_session_that_is_cut_keeps_its_numbers_and_fits_when_siblings_are_grouped() -> None:
    log = MemoryLog()
    attempt = history("S").published().attempt()
    for number in range(400):
        attempt.spawns(f"child-{number:03}").attempt().acked()
    await keep(log, attempt.events)
    async with log:
        runtime = RelaynaRuntime(log=log)
        every = await call(runtime, BY_NAME["session_dag"], session_id="S", siblings="all")
        grouped = await call(runtime, BY_NAME["session_dag"], session_id="S")
    assert "siblings=grouped" in str(every["cut"])
    assert every["stats"] == grouped["stats"]
    assert "cut" not in grouped
    [group] = grouped["groups"]
    assert len(group["run_ids"]) == 400


async def test_what_fits_says_nothing_of_cuts() -> None:
    log = MemoryLog()
    await fill(log)
    async with log:
        assert "cut" not in await call(RelaynaRuntime(log=log), BY_NAME["graph"], task_id="order-7")


async def test_a_fault_shows_nothing_of_the_inside(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(services: object, asked: object) -> msgspec.Struct:
        raise RuntimeError("the password is swordfish")

    tool = msgspec.structs.replace(BY_NAME["status"], answer=fail)
    answer = await answer_call(tool, RelaynaRuntime(log=MemoryLog()).services, {"task_id": "order-7"})
    assert isinstance(answer, Refused)
    assert answer.code == "internal_error"
    assert "swordfish" not in answer.sentence
    assert "swordfish" in caplog.text
