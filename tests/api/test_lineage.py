"""Lineage over HTTP: what may be asked, what is refused, and that nothing is answered while it is off."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from api.serving import Serve, app_on
from observability.kept_histories import keep

from relayna.streams import Log
from relayna.testing import history

pytestmark = pytest.mark.anyio


@pytest.fixture
def lineage_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYNA_LINEAGE_READ", "true")


async def keep_family(log: Log, root: str = "order-7") -> None:
    """A parent, a child and a grandchild."""
    parent = history(root).published().attempt()
    child = parent.spawns(f"{root}-child").attempt()
    await keep(log, child.spawns(f"{root}-grandchild").attempt().acked().events)


async def test_it_is_off_unless_it_is_on(serve: Serve, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await serve(app_on(log))
    await keep_family(log)
    monkeypatch.delenv("RELAYNA_LINEAGE_READ", raising=False)
    answer = await client.get("/lineage/runs/order-7/upstream")
    assert (answer.status_code, answer.json()["code"]) == (404, "lineage_is_off")
    monkeypatch.setenv("RELAYNA_LINEAGE_READ", "1")
    assert (await client.get("/lineage/runs/order-7/upstream")).status_code == 200


@pytest.mark.usefixtures("lineage_is_on")
@pytest.mark.parametrize(
    ("url", "parameter"),
    [
        ("runs/order-7/upstream?max_hops=0", "max_hops"),
        ("runs/order-7/downstream?max_hops=51", "max_hops"),
        ("runs/order-7/upstream?kinds=spawn,dreamt", "kinds"),
        ("runs/order-7/upstream?causal=maybe", "causal"),
        ("runs/order-7/downstream?siblings=some", "siblings"),
        ("sessions/order-7/graph?overlays=maybe", "overlays"),
        ("runs/upstream", "run_id"),
        ("sessions/graph", "session_id"),
        ("sessions/order-7/graph?at=soon", "at"),
        ("runs/diff?a=order-7", "b"),
    ],
)
async def test_what_is_no_question_is_refused(serve: Serve, log: Log, url: str, parameter: str) -> None:
    answer = await (await serve(app_on(log))).get(f"/lineage/{url}")
    assert answer.status_code == 422
    assert repr(parameter) in answer.json()["detail"]


@pytest.mark.usefixtures("lineage_is_on")
@pytest.mark.parametrize("url", ["runs/nobody/why", "sessions/nobody/graph", "runs/diff?a=nobody&b=nobody"])
async def test_nobody_is_not_found(serve: Serve, log: Log, url: str) -> None:
    assert (await (await serve(app_on(log))).get(f"/lineage/{url}")).status_code == 404


@pytest.mark.usefixtures("lineage_is_on")
@pytest.mark.parametrize("root", ["order-7", "a/b upstream", "é%/why"])
async def test_by_path_and_by_query_is_the_same(serve: Serve, log: Log, root: str) -> None:
    client = await serve(app_on(log))
    await keep_family(log, root)
    for subject, words in (("runs", ("upstream", "downstream", "why")), ("sessions", ("graph",))):
        for word in words:
            name = "run_id" if subject == "runs" else "session_id"
            by_path = await client.get(f"/lineage/{subject}/{quote(root, safe='')}/{word}")
            by_query = await client.get(f"/lineage/{subject}/{word}", params={name: root})
            assert by_path.status_code == by_query.status_code == 200
            assert by_path.json() == by_query.json()


@pytest.mark.usefixtures("lineage_is_on")
async def test_a_walk_is_cut_at_the_limit_and_says_so(serve: Serve, log: Log) -> None:
    client = await serve(app_on(log))
    await keep_family(log)
    found = (await client.get("/lineage/runs/order-7/downstream?max_hops=1")).json()
    assert ([node["run_id"] for node in found["nodes"]], found["truncated"]) == (
        ["order-7", "order-7-child"],
        True,
    )
    found = (await client.get("/lineage/runs/order-7/downstream?max_hops=2&kinds=spawn&causal=false")).json()
    assert (found["counts"]["total_runs"], found["truncated"]) == (3, False)


@pytest.mark.usefixtures("lineage_is_on")
async def test_a_session_is_whole_whichever_of_its_runs_is_named(serve: Serve, log: Log) -> None:
    client = await serve(app_on(log))
    await keep_family(log)
    of_root = (await client.get("/lineage/sessions/order-7/graph")).json()
    assert of_root["stats"]["root_run_ids"] == ["order-7"]
    assert (await client.get("/lineage/sessions/order-7-grandchild/graph")).json() == of_root
    first = of_root["edges"][0]["at"]
    then = (await client.get("/lineage/sessions/order-7/graph", params={"at": first})).json()
    assert [edge["kind"] for edge in then["edges"]] == ["user_start"]


@pytest.mark.usefixtures("lineage_is_on")
async def test_siblings_alike_stand_as_one_and_open_again(serve: Serve, log: Log) -> None:
    client = await serve(app_on(log))
    parent = history("fan").published().attempt()
    for number in range(6):
        parent.spawns(f"fan-{number}").attempt().acked()
    parent.spawns("fan-bad").attempt().fails("ValueError", "no").dead_lettered()
    await keep(log, parent.acked().events)
    every = (await client.get("/lineage/sessions/fan/graph")).json()
    assert (len(every["runs"]), every["groups"], every["overlays"]) == (8, [], None)
    for path, runs in (("sessions/fan/graph", "runs"), ("runs/fan/downstream", "nodes")):
        url = f"/lineage/{path}?siblings=grouped&overlays=true"
        told = (await client.get(url)).json()
        [group] = told["groups"]
        assert sorted(group["run_ids"]) == [f"fan-{number}" for number in range(6)]
        assert {run["run_id"] for run in told[runs]} == {"fan", "fan-bad"}
        overlays = {one["run_id"]: one["subtree_runs"] for one in told["overlays"]}
        assert overlays == {"fan": 8, "fan-bad": 1}
        opened = (await client.get(f"{url}&expand={group['group_id']}")).json()
        assert (len(opened[runs]), opened["groups"], opened["unknown_groups"]) == (8, [], [])
        unknown = (await client.get(f"{url}&expand=g0123456789")).json()
        assert (unknown["groups"], unknown["unknown_groups"]) == ([group], ["g0123456789"])
        refused = await client.get(f"{url}&expand=g1,{group['group_id']}")
        assert (refused.status_code, "'g1' is no group's id" in refused.text) == (422, True)
        if runs == "runs":
            assert (opened["edges"], told["stats"]) == (every["edges"], every["stats"])
