"""`GET /metrics`: two formats by `Accept`, for those who may see them."""

from __future__ import annotations

import pytest
from api.serving import Serve, app_on
from observability.metrics.promtool import ask_promtool
from starlette.applications import Starlette
from starlette.requests import Request

from relayna.api.caller import Caller
from relayna.api.endpoint import routes_of
from relayna.api.metrics import metrics_endpoint
from relayna.observability.metrics import PrometheusMeasures
from relayna.streams import Log

pytestmark = pytest.mark.anyio

PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


class Reader:
    """Lets everybody read, and nobody see numbers."""

    def caller_of(self, request: Request) -> Caller:
        return Caller(name="reader", scopes=frozenset({"read"}))


def measured() -> PrometheusMeasures:
    measures = PrometheusMeasures()
    measures.observe("relayna_graph_nodes", 7, exemplar="order-7")
    return measures


async def test_it_is_what_prometheus_takes(serve: Serve) -> None:
    client = await serve(Starlette(routes=routes_of([metrics_endpoint(measured().registry)])))
    answer = await client.get("/metrics")
    assert (answer.status_code, answer.headers["vary"]) == (200, "Accept")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "relayna_graph_nodes_sum 7.0" in answer.text.splitlines()
    assert "order-7" not in answer.text
    assert ask_promtool("check", "metrics", given=answer.content) == ""


async def test_a_running_service_serves_what_prometheus_takes(serve: Serve, log: Log) -> None:
    client = await serve(app_on(log))
    await client.get("/readyz")
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert "relayna_store_up 1.0" in answer.text.splitlines()
    assert "relayna_sse_clients 0.0" in answer.text.splitlines()
    assert "relayna_measures_refused_total{" not in answer.text
    assert ask_promtool("check", "metrics", given=answer.content) == ""


async def test_a_prometheus_gets_open_metrics_with_exemplars(serve: Serve) -> None:
    client = await serve(Starlette(routes=routes_of([metrics_endpoint(measured().registry)])))
    answer = await client.get("/metrics", headers={"Accept": PROMETHEUS})
    assert answer.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert '# {task_id="order-7"} 7' in answer.text
    assert answer.text.endswith("# EOF\n")


async def test_there_is_no_other_format(serve: Serve) -> None:
    client = await serve(Starlette(routes=routes_of([metrics_endpoint(measured().registry)])))
    answer = await client.get("/metrics", headers={"Accept": "image/png"})
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")


async def test_it_needs_a_scope_of_its_own(serve: Serve) -> None:
    client = await serve(Starlette(routes=routes_of([metrics_endpoint(measured().registry)], Reader())))
    answer = await client.get("/metrics")
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
