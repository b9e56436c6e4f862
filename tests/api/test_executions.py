"""The graph over HTTP: representations, parameters, headers. Ids are in test_task_ids.py."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest
from api.serving import Serve, app_on, client_of, record, task

from relayna.observability import ExecutionGraphService, encode_graph
from relayna.streams import Append, Log, MemoryLog

pytestmark = pytest.mark.anyio

GRAPH = "/executions/order-7/graph"

MERMAID = """\
flowchart TD
  note0["partial: no_observations"]:::note
  n0(["order-7<br/>succeeded"]):::succeeded
  n1("processing"):::running
  n2("completed"):::succeeded
  n0 -.->|"published status"| n1
  n0 -.->|"published status"| n2
  classDef running fill:#e6f0fb,stroke:#2a6fb0,color:#123
  classDef succeeded fill:#e8f4ea,stroke:#2f7d4f,color:#132
  classDef note fill:#fff8dc,stroke:#b8860b,stroke-dasharray:4,color:#333
"""


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    """Of an app whose log knows order-7."""
    log = MemoryLog()
    await record(log, "order-7", "processing", "completed")
    async with client_of(app_on(log)) as client:
        yield client


async def test_the_graph_is_that_of_the_service(serve: Serve, log: Log) -> None:
    await record(log, "order-7", "processing", "completed")
    client = await serve(app_on(log))
    answer = await client.get(GRAPH)
    async with log:
        expected = encode_graph(await ExecutionGraphService(log=log).get_graph("order-7"))

    assert (answer.status_code, answer.content) == (200, expected)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["vary"] == "Accept"


async def test_a_task_of_which_nothing_is_recorded_is_not_found(serve: Serve, log: Log) -> None:
    client = await serve(app_on(log))
    answer = await client.get("/executions/a%2Fb/graph")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.text == (
        '{"type":"about:blank","title":"Not Found","status":404,"code":"execution_not_found",'
        '"detail":"Nothing is recorded for task \'a/b\'.",'
        '"hint":"Check the id, which has to be whole, the prefix and tenant, and whether its retention has passed."}'
    )


async def test_a_corrupt_frame_is_a_warning(serve: Serve, log: Log) -> None:
    await record(log, "order-7", "processing")
    async with log:
        await log.append([Append(task("order-7"), b"\xc1 no frame")])
    client = await serve(app_on(log))
    answer = await client.get(GRAPH)

    assert answer.status_code == 200
    graph = answer.json()
    assert graph["summary"]["status"] == "processing"
    assert [warning["code"] for warning in graph["annotations"]["warnings"]] == ["unreadable_record"]
    assert "corrupt" in graph["annotations"]["completeness"]


async def test_nothing_but_a_corrupt_frame_is_found_too(serve: Serve) -> None:
    log = MemoryLog()
    await log.append([Append(task("order-7"), b"\xc1 no frame")])
    client = await serve(app_on(log))
    assert (await client.get(GRAPH)).status_code == 200


@pytest.mark.parametrize(
    ("query", "accept", "content_type"),
    [
        ("", None, "application/json"),
        ("", "*/*", "application/json"),
        ("", "text/vnd.mermaid", "text/vnd.mermaid; charset=utf-8"),
        ("", "text/x-mermaid", "text/x-mermaid; charset=utf-8"),
        ("", "application/json;q=0.1, text/x-mermaid;q=0.2", "text/x-mermaid; charset=utf-8"),
        ("?format=mermaid", None, "text/vnd.mermaid; charset=utf-8"),
        ("?format=mermaid", "application/json", "text/vnd.mermaid; charset=utf-8"),
        ("?format=json", "text/vnd.mermaid", "application/json"),
        ("?format=json", "image/png", "application/json"),
    ],
)
async def test_the_client_chooses_the_representation(
    client: httpx2.AsyncClient, query: str, accept: str | None, content_type: str
) -> None:
    answer = await client.get(GRAPH + query, headers={} if accept is None else {"accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, content_type)
    if "mermaid" in content_type:
        assert answer.text == MERMAID
    else:
        assert answer.json()["task_id"] == "order-7"


async def test_several_accept_headers_are_one_list(client: httpx2.AsyncClient) -> None:
    headers = [("accept", "application/json;q=0.5"), ("accept", "text/vnd.mermaid")]
    assert (await client.get(GRAPH, headers=headers)).text == MERMAID


async def test_what_cannot_be_had_is_not_acceptable(client: httpx2.AsyncClient) -> None:
    answer = await client.get(GRAPH, headers={"accept": "image/png, application/json;q=0"})
    assert answer.status_code == 406
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["vary"] == "Accept"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not Acceptable",
        "status": 406,
        "code": "not_acceptable",
        "detail": "There is no representation of a media type that the Accept header takes.",
        "hint": "Accept one of application/json, text/vnd.mermaid, text/x-mermaid, text/vnd.graphviz, or choose by ?format=.",
    }


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("format=png", "'format': 'png' is none of json, mermaid, dot"),
        ("depth=deep", "'depth': 'deep' is no whole number of at most nine digits"),
        ("depth=-1", "'depth': -1 is not between 0 and 50"),
        ("depth=51", "'depth': 51 is not between 0 and 50"),
        ("depth=1&depth=2", "'depth': is given 2 times; give it once"),
        ("max_nodes=0", "'max_nodes': 0 is less than 1"),
        ("max_nodes=", "'max_nodes': '' is no whole number of at most nine digits"),
        ("at=tomorrow", "'at': 'tomorrow' is no time; use ISO 8601, as in 2026-01-31T10:00:05Z"),
        ("at=%FF", "'at': is not UTF-8"),
    ],
)
async def test_a_parameter_without_meaning_is_named(
    client: httpx2.AsyncClient, query: str, detail: str
) -> None:
    answer = await client.get(f"{GRAPH}?{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Unprocessable Content",
        "status": 422,
        "code": "invalid_query",
        "detail": f"Parameter {detail}.",
        "hint": "Correct it and ask again.",
    }


async def test_parameters_nobody_knows_are_ignored(client: httpx2.AsyncClient) -> None:
    plain = await client.get(GRAPH)
    assert (await client.get(f"{GRAPH}?task_id=other&utm=%FF&utm=2&raw")).content == plain.content


@pytest.mark.parametrize("offset", ["Z", "%2B00:00", "+00:00"])
async def test_at_asks_for_what_had_happened_by_then(client: httpx2.AsyncClient, offset: str) -> None:
    graph = (await client.get(f"{GRAPH}?at=2026-01-01T00:00:00.5{offset}")).json()
    assert graph["summary"]["status"] == "processing"
    assert graph["annotations"]["at"] == "2026-01-01T00:00:00.500000+00:00"


async def test_max_nodes_cuts_and_says_so(client: httpx2.AsyncClient) -> None:
    graph = (await client.get(f"{GRAPH}?max_nodes=1")).json()
    assert [node["id"] for node in graph["nodes"]] == ["task:order-7"]
    assert graph["annotations"]["truncated"]["max_nodes"]["nodes_left_out"] == 2


async def test_depth_leaves_children_out(serve: Serve) -> None:
    log = MemoryLog()
    await record(log, "order-7", "processing", children=["child"])
    await record(log, "child", "completed")
    client = await serve(app_on(log))
    drawn = {
        depth: [node["id"] for node in (await client.get(f"{GRAPH}?depth={depth}")).json()["nodes"]]
        for depth in (0, 1)
    }
    assert "status:child:1" not in drawn[0]
    assert "status:child:1" in drawn[1]


async def test_head_is_get_without_the_body(client: httpx2.AsyncClient) -> None:
    for target in (GRAPH, "/executions/graph?task_id=order-7", "/executions/nobody/graph", "/livez"):
        whole, head = await client.get(target), await client.head(target)
        assert (head.status_code, head.content) == (whole.status_code, b"")
        assert head.headers == whole.headers
