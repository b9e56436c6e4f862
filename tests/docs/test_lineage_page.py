"""What docs/lineage.md shows of handlers and producers runs as it stands, and its edges come out as its table says."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from types import CodeType
from typing import Any

import anyio
import click
import pytest
from api.serving import serving
from consumer.bench import Bench
from house.project_files import ROOT
from observability.kept_histories import keep

import relayna
import relayna.consumer
from relayna.api import RelaynaRuntime, create_app
from relayna.cli.main import cli
from relayna.observability.lineage_service import LineageService
from relayna.observability.lineage_told import Session
from relayna.observability.live import EdgeWithdrawn, SessionEnd, SessionGap, SessionMessage, SessionStatus
from relayna.projections.lineage.run_edges import BIRTH_KINDS, EDGE_KINDS
from relayna.settings import lineage_emits, lineage_live, lineage_reads
from relayna.streams import MemoryLog
from relayna.testing import history

pytestmark = pytest.mark.anyio

PAGE = (ROOT / "docs" / "lineage.md").read_text(encoding="utf-8")
MESSAGES = (ROOT / "docs" / "messages.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def emits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYNA_LINEAGE_EMIT", "1")


def snippet(heading: str) -> CodeType:
    """The code of one section."""
    [section] = re.findall(rf"^##+ {heading}\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE)
    [block] = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    return compile(block, f"docs/lineage.md: {heading}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


async def run(code: CodeType, **names: Any) -> dict[str, Any]:
    known = dict(names)  # all else the snippet imports itself
    running = eval(code, known)
    if inspect.isawaitable(running):
        await running
    return known


async def handled_by(bench: Bench, name: str, code: CodeType, **names: Any) -> tuple[Session, dict[str, str]]:
    """The session of a run that the page's handler handles, and the statuses of its runs; children do nothing."""
    handler = (await run(code, **names))[name]

    async def handle(task: Any, context: Any) -> None:
        if task.task_id == "order-7":
            await handler(task, context)

    consumer = relayna.consumer.TaskConsumer(rabbitmq=bench.client, handler=handle, prefetch=4)
    await bench.work_off(consumer, publish=lambda: bench.client.publish_task("order-7"))
    await bench.recorder.durable()
    session = await LineageService(log=bench.log).session("order-7")
    return session, {one.run_id: one.status or "" for one in session.runs}


def edges(session: Session) -> list[tuple[str, str | None, str | None]]:
    return [(edge.kind, edge.target_run, edge.label) for edge in session.edges]


async def test_words_of_a_run() -> None:
    async def answer_of(task: Any) -> bool:
        await anyio.lowlevel.checkpoint()
        return True

    async with Bench() as bench:
        session, statuses = await handled_by(bench, "pay", snippet("Saying it"), answer_of=answer_of)
    assert edges(session) == [
        ("user_start", "order-7", None),
        ("timer_fire", "order-7", "cool down"),
        ("ctx_ask_user", "order-7", "pay now?"),
        ("signal_fire", "receipt-7", "paid"),
        ("domain_callback", "order-7", "bank"),
    ]
    assert session.edges[0].cost_attributed == 120
    assert statuses["order-7"] == "completed"


async def test_children() -> None:
    async with Bench() as bench:
        session, statuses = await handled_by(bench, "fetch", snippet("Children"))
    born = [(edge.kind, edge.variant, edge.group_key, edge.label) for edge in session.edges[1:]]
    assert sorted(born, key=str) == [
        ("cross_session_bridge", None, None, None),
        ("spawn", "handoff", None, None),
        ("spawn", None, "page 1", "the cover"),
    ]
    assert len(statuses) == 3  # the bridged one is of its own session


async def test_waiting() -> None:
    async with Bench() as bench:
        session, _ = await handled_by(bench, "assemble", snippet("Waiting"))
        told = await bench.told("order-7")
    assert [kind for kind, _, _ in edges(session)].count("resume") == 1
    assert "StatusPublished assembled" in told


async def test_starts_and_wakes_from_outside() -> None:
    async with Bench() as bench:
        await bench.client.publish_task("order-7")
        await run(snippet("Starts and wakes from outside"), client=bench.client)
        await bench.recorder.durable()
        service = LineageService(log=bench.log)
        order, payout = await service.session("order-7"), await service.session("payout-7")
    assert sorted(edges(order)) == [
        ("domain_callback", "order-7", "courier"),
        ("signal_fire", "refund-7", "paid twice"),
        ("user_start", "order-7", None),
    ]
    assert edges(payout) == [("domain_callback", "payout-7", "bank")]
    assert payout.session_id == "order-7"


async def test_a_session_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYNA_LINEAGE_LIVE", "1")
    log = MemoryLog()
    attempt = history("order-7").published().attempt()
    attempt.spawns("print-7")
    await keep(log, attempt.events)
    follow = (await run(snippet("Following a session live")))["edges"]
    async with serving(create_app(RelaynaRuntime(log=log))) as url, anyio.create_task_group():
        told = follow(url.replace("http", "ws", 1), "order-7")
        first, start = await anext(told)
        await told.aclose()
        rest = follow(url.replace("http", "ws", 1), "print-7", after=first)
        _, spawn = await anext(rest)
        await rest.aclose()
    assert [start["kind"], spawn["kind"]] == ["user_start", "spawn"]


def test_what_can_be_asked_and_what_is_told_is_on_the_page() -> None:
    for endpoint in RelaynaRuntime(log=MemoryLog()).endpoints():
        if endpoint.path.startswith("/lineage/") and not endpoint.name.endswith("_by_query"):
            page = MESSAGES if endpoint.path.startswith("/lineage/messages") else PAGE
            assert endpoint.path.replace(":path", "") in page
            for parameter in endpoint.parameters:
                assert re.search(rf"\b{parameter.name}\b", page), parameter.name
    told = set(re.findall(r"^\| `(\w+)` \| (?:the edges that you have now|none) \|", PAGE, re.MULTILINE))
    assert told == {SessionMessage(body).event for body in (
        SessionStatus("up"), SessionGap(), SessionEnd(),
        EdgeWithdrawn(edge_id="", kind="spawn", source_run=None, target_run=""),
    )} | {"edge"}  # fmt: skip


def test_commands_of_the_page_are_commands() -> None:
    asking = PAGE.partition("## Asking")[2].partition("```")[2].partition("```")[0]
    for line in asking.strip().splitlines():
        name, *arguments = shlex.split(line)[1:]
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        command.make_context(name, arguments)  # raises for what it does not take


def test_the_switches_stand_in_their_order() -> None:
    switching = PAGE.partition("## Switching it on")[2]
    named = re.findall(r"^\| `(RELAYNA_LINEAGE_\w+)` \|", switching, re.MULTILINE)
    assert named == [f"RELAYNA_LINEAGE_{name}" for name in ("EMIT", "READ", "LIVE")]
    on = dict.fromkeys(named, "1")
    assert (lineage_emits(on), lineage_reads(on), lineage_live(on)) == (True, True, True)


def test_the_table_has_every_kind_and_its_words_exist() -> None:
    [table] = re.findall(r"^\| edge .*?\n\n", PAGE, re.DOTALL | re.MULTILINE)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()[2:]]
    assert {row[0].strip("`") for row in rows} == set(EDGE_KINDS)
    births = {row[0].strip("`") for row in rows if row[2] != "no"}
    assert births == BIRTH_KINDS
    for owner, word in re.findall(r"`(context|client)\.(\w+)\(", PAGE):
        described = relayna.consumer.TaskContext if owner == "context" else relayna.RelaynaClient
        assert callable(getattr(described, word)), word
