"""`GET /executions/{task_id}/live` over HTTP: the events, coming back, what is refused, and who goes away."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import anyio
import msgspec
import pytest
from api.event_streams import following, live_app
from api.serving import Serve, path_of
from observability.live_steps import Teller, tell, until
from starlette.requests import Request

from relayna.api.aliases import HttpNames
from relayna.api.caller import Caller
from relayna.api.event_stream import EventStream, Frames
from relayna.events import RecordedEvent
from relayna.observability import ExecutionGraphService
from relayna.observability.graph_question import checked_question
from relayna.observability.live import LiveHub, LiveLimits
from relayna.projections.execution import GraphQuery
from relayna.projections.graph import ExecutionGraph, encode_graph
from relayna.projections.graph_patch import GraphPatch, apply_patch, diff_graphs
from relayna.projections.registry import PROJECTIONS
from relayna.streams import Log, MemoryLog
from relayna.testing import history
from relayna.topologies import ContractAliasConfig

pytestmark = pytest.mark.anyio

LIVE = "/executions/T/live"


class TestTheStream:
    async def test_a_run_is_followed_to_its_end(self, log: Log, serve: Serve) -> None:
        client, teller = await serve(live_app(log)), Teller(log)
        attempt = history("T").published().attempt()
        await teller.tell(attempt)
        async with following(client, LIVE) as reader:
            snapshot = await reader.until("snapshot")
            assert snapshot.text.encode() == (await client.get(path_of("T"))).content
            graph = msgspec.json.decode(snapshot.text, type=ExecutionGraph)
            await teller.tell(attempt.status("on"))
            patch = msgspec.json.decode((told := await reader.until("patch")).text, type=GraphPatch)
            assert (patch.base, patch.version) == (snapshot.id, told.id)
            graph = apply_patch(graph, patch)
            assert (await reader.until("status")).data == {"status": "on", "store": "up"}
            await teller.tell(attempt.acked())
            while (event := await reader.next()) is not None and event.event != "end":
                if event.event == "patch":
                    graph = apply_patch(graph, msgspec.json.decode(event.text, type=GraphPatch))
            assert event is not None
            assert event.data == {"reason": "finished", "status": "completed"}
            assert await reader.next() is None
        assert encode_graph(graph) == (await client.get(path_of("T"))).content
        assert (await client.get(LIVE, headers={"Last-Event-ID": event.id or ""})).status_code == 204

    async def test_no_proxy_keeps_any_of_it(self, serve: Serve) -> None:
        log = MemoryLog()
        client = await serve(live_app(log))
        await Teller(log).tell(history("T").published())
        async with following(client, LIVE) as reader:
            headers = reader.response.headers
        assert headers["content-type"].startswith("text/event-stream")
        assert headers["cache-control"] == "no-store"
        assert headers["x-accel-buffering"] == "no"
        assert headers["x-content-type-options"] == "nosniff"
        head = await client.head(LIVE)
        assert (head.status_code, head.headers["content-type"]) == (200, headers["content-type"])

    async def test_a_large_snapshot_comes_whole(self, serve: Serve) -> None:
        log = MemoryLog()
        client = await serve(live_app(log))
        attempt = history("T", lifecycle_statuses=False).published().attempt()
        for number in range(500):
            attempt.status(f"step {number}", message="x" * 200)
        await tell(log, attempt.events)
        async with following(client, LIVE) as reader:
            snapshot = await reader.until("snapshot")
        assert len(snapshot.text) > 100_000
        assert snapshot.text.encode() == (await client.get(path_of("T"))).content

    async def test_any_id_is_followed_by_query(self, serve: Serve) -> None:
        log = MemoryLog()
        client = await serve(live_app(log))
        await tell(log, history("a/..\n{b}").published().events)
        async with following(
            client, "/executions/live?task_id=a%2F..%0A%7Bb%7D&depth=1&view=causal"
        ) as reader:
            assert (await reader.until("snapshot")).data["task_id"] == "a/..\n{b}"

    async def test_silence_is_broken_by_comments(self, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("relayna.api.event_stream._SECONDS_BETWEEN_PINGS", 0.01)
        log = MemoryLog()
        client, story = await serve(live_app(log)), history("T").published()
        teller = Teller(log)
        await teller.tell(story)
        async with following(client, LIVE) as reader, anyio.create_task_group() as tasks:
            await reader.until("snapshot")
            tasks.start_soon(reader.until, "patch")
            await until(lambda: reader.pings > 2)
            await teller.tell(story.status("on"))


class TestComingBack:
    async def test_the_header_counts_before_the_parameter(self, serve: Serve) -> None:
        log = MemoryLog()
        client, teller = await serve(live_app(log)), Teller(log)
        attempt = history("T").published().attempt()
        await teller.tell(attempt)
        version = (await client.get(path_of("T"))).headers["etag"].strip('"')
        await teller.tell(attempt.status("on"))
        for path, headers in [
            (f"{LIVE}?after={version}", {}),
            (f"{LIVE}?after=unknown", {"Last-Event-ID": version}),
        ]:
            async with following(client, path, headers) as reader:
                first = await reader.next()
            assert first is not None
            assert (first.event, first.data["base"]) == ("patch", version)

    async def test_an_unknown_version_is_a_gap_and_a_snapshot(self, serve: Serve) -> None:
        log = MemoryLog()
        client = await serve(live_app(log))
        await Teller(log).tell(history("T").published())
        async with following(client, f"{LIVE}?after=unknown") as reader:
            gap = await reader.until("gap")
            assert gap.data == {"reason": "unknown_version"}
            assert await reader.until("snapshot") is not None


class NobodyReads:
    """An access that knows everybody and lets nobody read."""

    def caller_of(self, request: Request) -> Caller:
        return Caller(name="visitor", scopes=frozenset({"metrics"}))


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("path", "headers", "status", "code"),
        [
            ("/executions/absent/live", {}, 404, "execution_not_found"),
            (f"{LIVE}?depth=51", {}, 422, "invalid_query"),
            (f"{LIVE}?max_nodes=50001", {}, 422, "invalid_query"),
            (f"{LIVE}?view=upside-down", {}, 422, "invalid_query"),
            ("/executions/live", {}, 422, "invalid_query"),
            (LIVE, {"Accept": "application/json"}, 406, "not_acceptable"),
        ],
    )
    async def test_it_is_a_problem(
        self, path: str, headers: dict[str, str], status: int, code: str, serve: Serve
    ) -> None:
        log = MemoryLog()
        client = await serve(live_app(log))
        await Teller(log).tell(history("T").published())
        answer = await client.get(path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code)

    async def test_more_than_may_follow_come_again(self, serve: Serve) -> None:
        log = MemoryLog()
        app = live_app(log, limits=LiveLimits(most_followers=1))
        client = await serve(app)
        await Teller(log).tell(history("T").published())
        async with following(client, LIVE) as reader:
            await reader.until("snapshot")
            answer = await client.get(LIVE)
        assert (answer.status_code, answer.json()["code"]) == (503, "too_many_followers")
        assert int(answer.headers["retry-after"]) > 0
        await until(lambda: app.state.hub._count_followers() == 0)

    async def test_readers_need_the_scope(self, serve: Serve) -> None:
        client = await serve(live_app(MemoryLog(), access=NobodyReads()))
        assert (await client.get(LIVE)).status_code == 403

    async def test_without_the_lifespan_it_says_so(self, serve: Serve) -> None:
        log = MemoryLog()
        await Teller(log).tell(history("T").published())
        app = live_app(log)
        app.router.lifespan_context = lambda _: nullcontext()
        answer = await (await serve(app)).get(LIVE)
        assert (answer.status_code, answer.json()["code"]) == (503, "log_not_open")


class TestThoseWhoGoAway:
    async def test_a_client_that_vanishes_leaves_nothing(self, serve: Serve) -> None:
        log = MemoryLog()
        app = live_app(log)
        client = await serve(app)
        await Teller(log).tell(history("T").published())
        async with following(client, LIVE) as reader:
            await reader.until("snapshot")
            assert app.state.hub._count_followers() == 1
        await until(lambda: app.state.hub._count_followers() == 0)

    async def test_a_client_that_takes_nothing_is_let_go(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("relayna.api.event_stream._SECONDS_TO_TAKE_A_PIECE", 0.01)
        log = MemoryLog()
        await Teller(log).tell(history("T").published())
        sent: list[str] = []

        async def send(message: dict[str, object]) -> None:
            sent.append(str(message["type"]))
            if message["type"] == "http.response.body":
                await anyio.sleep_forever()

        async def receive() -> dict[str, object]:
            return await anyio.sleep_forever()  # type: ignore[return-value]

        async with LiveHub(log) as hub:
            subscription = await hub.subscribe(ExecutionGraphService(log=log), checked_question("T"))
            stream = EventStream(subscription, Frames(HttpNames(None)))
            with anyio.fail_after(20):
                await stream({"type": "http", "method": "GET", "path": LIVE}, receive, send)  # type: ignore[arg-type]
            assert hub._count_followers() == 0
        assert sent == ["http.response.start", "http.response.body"]


async def test_task_ids_have_the_name_that_contracts_give_them(serve: Serve) -> None:
    log = MemoryLog()
    aliases = ContractAliasConfig(http_aliases={"task_id": "order_id"}, field_aliases={"task_id": "order_id"})
    client, teller = await serve(live_app(log, aliases=aliases)), Teller(log)
    attempt = history("T").published().attempt()
    await teller.tell(attempt)
    async with following(client, "/executions/live?order_id=T") as reader:
        snapshot = await reader.until("snapshot")
        assert snapshot.data["order_id"] == "T"
        attempt.spawns("child")
        await teller.tell(attempt)
        patch = await reader.until("patch")
    assert patch.data["related_task_ids_set"] == [{"order_id": "child", "index": 0}]
    assert {one["node"]["order_id"] for one in patch.data["nodes_set"]} <= {"T", "child"}
    assert '"task_id"' not in patch.text


def _graph(events: Sequence[RecordedEvent]) -> ExecutionGraph:
    projection = PROJECTIONS[0]
    state = projection.initial("T")
    for event in events:
        projection.apply(state, event)
    return projection.finish(state, GraphQuery())


def test_keys_in_patches_are_renamed_and_users_values_are_not() -> None:
    names = HttpNames(ContractAliasConfig(field_aliases={"task_id": "order_id"}))
    story = (
        history("T", lifecycle_statuses=False).published().attempt().status("on", meta={"task_id": "mine"})
    )
    projected = _graph(story.events)
    bare = _graph(story.events[:1])
    there = msgspec.json.decode(names.encode_patch(diff_graphs(bare, projected)))
    back = msgspec.json.decode(names.encode_patch(diff_graphs(projected, bare)))

    assert [
        one["node"]["annotations"]["meta"]
        for one in there["nodes_set"]
        if "meta" in one["node"]["annotations"]
    ] == [{"task_id": "mine"}]
    assert {key for one in back["nodes_removed"] for key in one} == {"ref", "kind", "order_id"}
    assert {key for one in back["edges_removed"] for key in one["source"]} == {"ref", "kind", "order_id"}
