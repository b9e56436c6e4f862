"""Messages over HTTP: what may be asked, what is refused, and that nothing is answered while it is off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx2
import msgspec
import pytest
from api.serving import client_of
from observability.read_models.indexed_world import memory_world, store_events
from projections.messages.session_x import rows_by_task, session_x
from starlette.applications import Starlette

from relayna.api.aliases import HttpNames
from relayna.api.endpoint import routes_of
from relayna.api.messages import message_endpoints
from relayna.api.tenants import same_for_all
from relayna.observability.message_service import MessageLineageService
from relayna.observability.message_told import (
    ChainTold,
    MessageAnswer,
    MessagesFound,
    MessagesListed,
    MessageStatistics,
)

pytestmark = pytest.mark.anyio

X = session_x()[-1]
IDS = {name: row.id for name, row in rows_by_task(X).items()}


@pytest.fixture(autouse=True)
def lineage_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYNA_LINEAGE_READ", "true")


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    world = memory_world()
    await store_events(world.log, X)
    await world.indexer().catch_up()
    names = HttpNames(None)
    service = MessageLineageService(log=world.log, lists=world.lists(), runs=world.runs())
    routes = routes_of(names.check(message_endpoints(same_for_all(service), names)))
    async with client_of(Starlette(routes=routes)) as client:
        yield client


async def test_it_is_off_unless_it_is_on(client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RELAYNA_LINEAGE_READ")
    for path in ("", "/stats", f"/{IDS['L1']}/chain"):
        answer = await client.get(f"/lineage/messages{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "lineage_is_off")


async def test_every_message_is_listed_once_over_all_pages(client: httpx2.AsyncClient) -> None:
    found: list[str] = []
    target = "/lineage/messages?session=X&limit=4&order=asc"
    while target:
        answer = await client.get(target)
        page = msgspec.json.decode(answer.content, type=MessagesListed)
        assert page.total == 6
        found += [one.task_id for one in page.messages]
        link = answer.headers.get("link", "")
        assert bool(link) == (page.next is not None)
        target = f"/lineage/messages{link[1:].partition('>')[0]}" if link else ""
    assert found == ["L1", "L2a", "L2b", "L2c", "L3a", "L3b"]


async def test_the_worked_case(client: httpx2.AsyncClient) -> None:
    stats = await client.get("/lineage/messages/stats?session=X")
    told = msgspec.json.decode(stats.content, type=MessageStatistics)
    assert [(one.handler, one.count, one.completed, one.failed) for one in told.handlers] == [
        ("a1", 1, 1, 0), ("a2", 3, 2, 1), ("a3", 2, 2, 0),
    ]  # fmt: skip
    chain = await client.get(f"/lineage/messages/{IDS['L2c']}/chain")
    found = msgspec.json.decode(chain.content, type=ChainTold)
    assert ([one.task_id for one in found.ancestors], found.descendants) == (["L1"], [])
    [failed] = (await client.get("/lineage/messages/failures?session=X")).json()["messages"]
    assert failed["error"]["class"] == "KeyError"
    children = await client.get(f"/lineage/messages/{IDS['L1']}/children?session=X")
    assert len(msgspec.json.decode(children.content, type=MessagesFound).messages) == 3


async def test_by_path_and_by_query_is_the_same(client: httpx2.AsyncClient) -> None:
    for word, query in (("", "/message"), ("/chain", "/chain"), ("/children", "/children")):
        by_path = await client.get(f"/lineage/messages/{quote(IDS['L2a'], safe='')}{word}?session=X")
        by_query = await client.get(
            f"/lineage/messages{query}", params={"message_id": IDS["L2a"], "task_id": "L1"}
        )
        assert by_path.status_code == by_query.status_code == 200
        assert by_path.json() == by_query.json()
    one = await client.get(f"/lineage/messages/{IDS['L2a']}")
    assert msgspec.json.decode(one.content, type=MessageAnswer).message.task_id == "L2a"


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("?limit=0", "limit"), ("?limit=1001", "limit"), ("?status=odd", "status"), ("?sort=colour", "sort"),
        ("?order=up", "order"), ("?is_root=maybe", "is_root"), ("?started_after=soon", "started_after"),
        ("?cursor=x", "cursor"), ("/failures?limit=0", "limit"), ("/chain", "message_id"), ("/batches", "batch_id"),
    ],
)  # fmt: skip
async def test_what_is_no_question_is_refused(client: httpx2.AsyncClient, path: str, parameter: str) -> None:
    answer = await client.get(f"/lineage/messages{path}")
    assert answer.status_code == 422
    assert repr(parameter) in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/nobody", "message_not_found"),
        ("/nobody/chain?session=X", "message_not_found"),
        ("/nobody/children?task_id=L1", "message_not_found"),
        ("/batches/nothing", "message_not_found"),
        ("?session=nobody", "execution_not_found"),
        ("/nobody?task_id=nobody", "execution_not_found"),
    ],
)
async def test_what_is_not_there_says_where_it_was_looked_for(
    client: httpx2.AsyncClient, path: str, code: str
) -> None:
    answer = await client.get(f"/lineage/messages{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, code)


async def test_a_hint_asks_for_what_was_not_named(client: httpx2.AsyncClient) -> None:
    for query, expected in (("", True), ("?session=X", False), ("?task_id=L1", False)):
        answer = await client.get(f"/lineage/messages/nobody{query}")
        assert ("?session=" in answer.json()["hint"]) == expected
