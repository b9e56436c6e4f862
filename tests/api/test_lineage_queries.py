"""A question about runs is a fold and one entry in a table: with that it is there over HTTP and for models."""

from __future__ import annotations

from typing import Annotated

import anyio
import pytest
from msgspec import Meta, Struct
from observability.read_models.indexed_world import store_events
from starlette.testclient import TestClient

from relayna.api.aliases import HttpNames
from relayna.api.endpoint import routes_of, unredirected
from relayna.api.lineage import query_endpoints
from relayna.api.services import TenantServices
from relayna.mcp.tools import TOOLS
from relayna.mcp.tools.of_runs import tool_of
from relayna.observability.lineage_queries import LINEAGE_QUERIES, ForModels, LineageQuery
from relayna.observability.lineage_service import LineageService
from relayna.projections.lineage.run_edges import RunLineage
from relayna.streams import MemoryLog
from relayna.testing import history


class LeavesAsked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which runs below this one led to nothing?"""

    run_id: Annotated[str, Meta(description="The run's id.")]
    most: Annotated[int, Meta(ge=1, description="At most so many.")] = 10


class Leaves(Struct, frozen=True, kw_only=True):
    """Runs that led to nothing."""

    run_ids: list[str]


async def leaves(service: LineageService, asked: LeavesAsked) -> Leaves:
    def fold(lineage: RunLineage) -> Leaves:
        parents = {edge.source for edge in lineage.edges}
        return Leaves(run_ids=sorted(lineage.runs.keys() - parents)[: asked.most])

    return await service.ask(asked.run_id, fold, of="descendants")


LEAVES = LineageQuery(
    name="leaves", path="/lineage/runs/{}/leaves", summary="Where it ended.", asks=LeavesAsked, tells=Leaves, ask=leaves,
    models=ForModels(tool="run_leaves", title="Leaves", about="Where it ended.", rest="Ask for more."),
)  # fmt: skip


@pytest.fixture
def service() -> LineageService:
    """A chain, and a child beside it."""
    log = MemoryLog()
    first = history("order").published()
    attempt = first.attempt()
    attempt.spawns("mail")
    report = attempt.spawns("report").attempt()
    report.spawns("print").attempt().acked()
    report.acked()
    attempt.acked()
    anyio.run(store_events, log, first.events)
    return LineageService(log=log)


def test_over_http(service: LineageService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYNA_LINEAGE_READ", "1")
    endpoints = query_endpoints(LEAVES, lambda caller: service, HttpNames(None))
    client = TestClient(unredirected(routes_of(endpoints)))
    assert client.get("/lineage/runs/order/leaves").json() == {"run_ids": ["mail", "print"]}
    assert client.get("/lineage/runs/leaves?run_id=order&most=1").json() == {"run_ids": ["mail"]}
    problem = client.get("/lineage/runs/leaves?run_id=order&most=few")
    assert (problem.status_code, "'few' is no whole number" in problem.json()["detail"]) == (422, True)


def test_for_models(service: LineageService) -> None:
    assert LEAVES.models is not None
    tool = tool_of(LEAVES, LEAVES.models)

    class Services:
        lineage = service

    answer: TenantServices = Services()  # type: ignore[assignment]
    told = anyio.run(tool.answer, answer, LeavesAsked(run_id="report"))
    assert (tool.name, tool.asks, told) == ("run_leaves", LeavesAsked, Leaves(run_ids=["print"]))


def test_every_question_for_models_is_a_tool() -> None:
    wanted = [query.models.tool for query in LINEAGE_QUERIES if query.models]
    assert wanted == [tool.name for tool in TOOLS if tool.name in wanted]
