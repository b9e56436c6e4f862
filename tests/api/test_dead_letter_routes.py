"""Dead letters over HTTP: looked at, planned and replayed, once whatever is clicked, and audited."""

from __future__ import annotations

import base64
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import quote

import anyio
import httpx2
import pytest
from api.serving import client_of
from consumer.bench import Bench
from consumer.faults import PUBLISH_FAULTS, NotingBroker
from starlette.applications import Starlette
from starlette.requests import Request
from streams.faulty_log import FaultyLog

from relayna.api.access import OpenAccess
from relayna.api.aliases import HttpNames
from relayna.api.caller import Caller
from relayna.api.dead_letters import dead_letter_endpoints
from relayna.api.endpoint import routes_of
from relayna.api.tenants import same_for_all
from relayna.consumer import RetryPolicy, TaskConsumer, TaskContext, TaskEnvelope
from relayna.errors import OutcomeUnknown
from relayna.events import DeadLetterRecorded, DeadLetterReplayed, Envelope, Event, OperatorActed
from relayna.observability import DLQService
from relayna.observability.dead_letter_store import DLQStore
from relayna.topologies import ContractAliasConfig

pytestmark = pytest.mark.anyio

READER = {"X-Caller": "reader"}
VIEWER = {"X-Caller": "viewer"}
OPERATOR = {"X-Caller": "operator"}
SCOPES = {"reader": {"read"}, "viewer": {"read", "payloads"}, "operator": {"read", "payloads", "replay"}}


class ByHeader:
    """Believes what it is told."""

    def caller_of(self, request: Request) -> Caller:
        name = request.headers["x-caller"]
        return Caller(name=name, scopes=frozenset(SCOPES[name]))  # type: ignore[arg-type]


class World:
    """A bench whose task has a dead letter, and an app in front of it."""

    def __init__(self, bench: Bench, letter: str) -> None:
        self.bench = bench
        self.letter = letter
        self.log = FaultyLog(bench.log)

    def app(self, *, broker: bool = True, writes: bool = True, names: HttpNames | None = None) -> Starlette:
        store = DLQStore(self.log, clock=self.bench.workers_clock)
        service = DLQService(store=store, broker=self.bench.broker if broker else None)
        endpoints = dead_letter_endpoints(same_for_all(service), names or HttpNames(None))
        return Starlette(routes=routes_of(endpoints, ByHeader(), allow_writes=writes))

    @property
    def path(self) -> str:
        return f"/executions/{quote('order/7', safe='')}/dead-letters/{self.letter}"

    @property
    def query(self) -> str:
        return f"task_id={quote('order/7', safe='')}&dead_letter_id={self.letter}"

    async def audited(self) -> list[tuple[str | None, ...]]:
        bodies = [event.body for event in await self.bench.events("order/7")]
        acts = [body for body in bodies if isinstance(body, OperatorActed)]
        return [(act.action, act.target_id, act.actor, act.via, act.outcome, act.reason) for act in acts]


class Served(AsyncExitStack):
    """Serves apps until the context ends, inside of what the bench has opened."""

    async def __call__(self, app: Starlette) -> httpx2.AsyncClient:
        return await self.enter_async_context(client_of(app))


async def fail(task: TaskEnvelope, context: TaskContext) -> None:
    raise KeyError("total")


async def world_of(bench: Bench, payload: Any = None) -> World:
    consumer = TaskConsumer(rabbitmq=bench.client, handler=fail, retry_policy=RetryPolicy(max_retries=0))
    await bench.work_off(
        consumer,
        publish=lambda: bench.client.publish_task(
            "order/7", payload or {"total": 7}, headers={"x-shop": "3"}
        ),
    )
    await bench.recorder.durable()
    [letter] = await DLQService(store=DLQStore(bench.log, clock=bench.workers_clock)).list_dead_letters(
        "order/7"
    )
    return World(bench, letter["dead_letter_id"])


def bench_of() -> Bench:
    return Bench(broker=lambda clock: NotingBroker(clock=clock))


async def post(client: httpx2.AsyncClient, path: str, body: object = None, **headers: str) -> httpx2.Response:
    return await client.post(path, json={} if body is None else body, headers={**OPERATOR, **headers})


@pytest.mark.parametrize("by", ["path", "query"])
async def test_a_letter_is_listed_shown_planned_and_replayed(by: str) -> None:
    async with bench_of() as bench, Served() as serve:
        world = await world_of(bench)
        client = await serve(world.app())
        if by == "path":
            listing, shown = world.path.rpartition("/")[0], world.path
            plan, replay = f"{world.path}/plan", f"{world.path}/replay"
        else:
            listing = f"/executions/dead-letters?{world.query}"
            shown, plan, replay = (
                f"/executions/dead-letters/{what}?{world.query}" for what in ("letter", "plan", "replay")
            )
        answer = (await client.get(listing, headers=READER)).json()
        assert answer["task_id"] == "order/7"
        [letter] = answer["dead_letters"]
        assert (letter["dead_letter_id"], letter["exception_type"], letter["replay_count"]) == (
            world.letter,
            "KeyError",
            0,
        )
        assert "body" not in letter
        detail = (await client.get(shown, headers=VIEWER)).json()
        assert (detail["headers"]["x-shop"], detail["body_encoding"], detail["withheld"]) == (
            "3",
            "utf-8",
            [],
        )
        assert '"total":7' in detail["body"]
        planned = (await client.get(plan, headers=READER)).json()
        assert (planned["allowed"], planned["replay_count"], planned["target"]["queue_name"]) == (
            True,
            0,
            "work",
        )
        done = await post(client, replay, {"reason": "mended", "expect_replay_count": 0})
        assert (done.status_code, done.json()["outcome"], done.json()["copy_replay_count"]) == (
            200,
            "replayed",
            1,
        )
        assert bench.broker.depth("work") == 1
        assert await world.audited() == [
            ("replay", world.letter, "operator", "http", "asked", "mended"),
            ("replay", world.letter, "operator", "http", "done", None),
        ]
        events = [event.body for event in await bench.events("order/7")]
        assert [e.replayed_by for e in events if isinstance(e, DeadLetterReplayed)] == ["operator"]
        [node] = [node for node in (await bench.graph("order/7")).nodes if node.kind == "dlq_record"]
        assert node.annotations["replayed_by"] == ["operator"]


async def test_headers_and_body_are_for_those_with_the_scope() -> None:
    async with bench_of() as bench, Served() as serve:
        world = await world_of(bench)
        answer = (await (await serve(world.app())).get(world.path, headers=READER)).json()
        assert (answer["headers"], answer["body"], answer["withheld"]) == (None, None, ["headers", "body"])
        assert answer["exception_type"] == "KeyError"


async def test_a_body_that_is_no_text_comes_in_base64() -> None:
    async with bench_of() as bench, Served() as serve:
        world = await world_of(bench)
        store = DLQStore(bench.log, clock=bench.workers_clock, redact=None)
        service = DLQService(store=store)
        plan = await service.plan("order/7", world.letter)
        await store._append(
            Event(
                envelope=Envelope(event_id="raw", timestamp=store.clock.now(), task_id=plan.task_id),
                body=DeadLetterRecorded(dead_letter_id="raw", body=b"\xff\x00"),
            )
        )
        client = await serve(world.app())
        shown = (await client.get(world.path.replace(world.letter, "raw"), headers=VIEWER)).json()
        assert (base64.b64decode(shown["body"]), shown["body_encoding"]) == (b"\xff\x00", "base64")


@pytest.mark.parametrize("what", ["", "/plan", "/replay"])
async def test_what_is_not_there_is_404_and_begins_no_stream(what: str) -> None:
    async with bench_of() as bench, Served() as serve:
        world = await world_of(bench)
        client = await serve(world.app())
        method = "POST" if what == "/replay" else "GET"
        for task, letter in (("order/7", "none"), ("nobody", world.letter)):
            path = f"/executions/{quote(task, safe='')}/dead-letters/{letter}{what}"
            answer = await client.request(
                method, path, headers=OPERATOR, **({"json": {}} if method == "POST" else {})
            )
            assert (answer.status_code, answer.json()["code"]) == (404, "dead_letter_not_found")
        assert (await client.get("/executions/nobody/dead-letters", headers=READER)).status_code == 404
        assert await bench.events("nobody") == []
        assert await world.audited() == []


async def test_a_task_without_dead_letters_has_an_empty_list() -> None:
    async with bench_of() as bench, Served() as serve:
        world = await world_of(bench)
        await bench.client.publish_task("fine")
        await bench.recorder.durable()
        answer = await (await serve(world.app())).get("/executions/fine/dead-letters", headers=READER)
        assert answer.json() == {"task_id": "fine", "dead_letters": []}


async def test_of_many_clicks_one_publishes() -> None:
    async with bench_of() as bench, Served() as serve:
        world = await world_of(bench)
        clients = [await serve(world.app()), await serve(world.app())]
        statuses: Counter[int] = Counter()

        async def click(client: httpx2.AsyncClient, body: dict[str, Any]) -> None:
            answer = await post(client, f"{world.path}/replay", body)
            statuses[answer.status_code] += 1
            if answer.status_code == 409:
                assert answer.json()["code"] in ("claimed", "in_flight")

        async with anyio.create_task_group() as clicking:
            for number in range(20):
                clicking.start_soon(
                    click, clients[number % 2], {"expect_replay_count": 0} if number % 3 else {}
                )
        assert statuses[200] == 1
        assert set(statuses) <= {200, 409, 412}
        assert bench.broker.depth("work") == 1


async def test_a_plan_that_refuses_is_409_until_it_is_forced() -> None:
    async with bench_of() as bench, Served() as serve:
        world = await world_of(bench)
        client = await serve(world.app())
        assert (await post(client, f"{world.path}/replay")).status_code == 200
        refused = await post(client, f"{world.path}/replay", {"reason": "again"})
        assert (refused.status_code, refused.json()["code"]) == (409, "in_flight")
        assert refused.headers["content-type"] == "application/problem+json"
        plan = (await client.get(f"{world.path}/plan?force=true", headers=READER)).json()
        assert (plan["allowed"], plan["replay_count"], plan["warnings"][0]["code"]) == (True, 1, "in_flight")
        assert (await post(client, f"{world.path}/replay", {"force": True})).status_code == 200
        assert [step for *_, step, _ in await world.audited()] == [
            "asked",
            "done",
            "asked",
            "refused",
            "asked",
            "done",
        ]


async def test_who_expects_another_count_gets_412() -> None:
    async with bench_of() as bench, Served() as serve:
        world = await world_of(bench)
        client = await serve(world.app())
        for force in (False, True):
            answer = await post(client, f"{world.path}/replay", {"expect_replay_count": 1, "force": force})
            assert (answer.status_code, answer.json()["code"]) == (412, "replayed_since")
        assert bench.broker.depth("work") == 0


async def test_a_body_without_its_secrets_is_not_replayed() -> None:
    async with bench_of() as bench, Served() as serve:
        world = await world_of(bench, {"total": 7, "db": {"password": "hunter2"}})
        client = await serve(world.app())
        shown = (await client.get(world.path, headers=VIEWER)).json()
        assert "hunter2" not in shown["body"]
        assert '"password":"[redacted]"' in shown["body"]
        assert shown["body_redacted"] is True
        for force in (False, True):
            answer = await post(client, f"{world.path}/replay", {"force": force})
            assert (answer.status_code, answer.json()["code"]) == (409, "body_redacted")
            assert "work.dead_letters" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("disconnected", 503, "broker_unreachable"),
        ("unroutable", 409, "unroutable"),
        ("unknown", 503, "outcome_unknown"),
    ],
)
async def test_what_the_broker_does_is_told(fault: str, status: int, code: str) -> None:
    async with bench_of() as bench, Served() as serve:
        world = await world_of(bench)
        assert isinstance(bench.broker, NotingBroker)
        bench.broker.faults[bench.broker.publishes] = (
            PUBLISH_FAULTS[fault] if fault != "unknown" else lambda *where: OutcomeUnknown(*where, 10.0)
        )
        answer = await post(await serve(world.app()), f"{world.path}/replay")
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert ("retry-after" in answer.headers) is (status == 503)
        assert [step for *_, step, _ in await world.audited()][-1] == (
            "unknown" if fault == "unknown" else "failed"
        )


async def test_without_a_broker_it_says_so() -> None:
    async with bench_of() as bench, Served() as serve:
        world = await world_of(bench)
        client = await serve(world.app(broker=False))
        assert (await client.get(f"{world.path}/plan", headers=READER)).json()["allowed"] is True
        answer = await post(client, f"{world.path}/replay")
        assert (answer.status_code, answer.json()["code"]) == (409, "no_broker")
        assert await world.audited() == []


async def test_where_it_cannot_be_audited_it_is_not_done() -> None:
    async with bench_of() as bench, Served() as serve:
        world = await world_of(bench)
        client = await serve(world.app())
        world.log.unreachable = True
        answer = await post(client, f"{world.path}/replay")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert bench.broker.depth("work") == 0


async def test_readers_do_not_replay_and_nobody_does_where_writes_are_off() -> None:
    async with bench_of() as bench, Served() as serve:
        world = await world_of(bench)
        for app, headers in (
            (world.app(), READER),
            (world.app(), VIEWER),
            (world.app(writes=False), OPERATOR),
        ):
            client = await serve(app)
            answer = await client.post(f"{world.path}/replay", json={}, headers=headers)
            assert answer.status_code == 403
        assert await world.audited() == []
        assert "replay" not in OpenAccess().caller_of(Request({"type": "http"})).scopes


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"force": "yes"}', 422),
        (b'{"unknown": 1}', 422),
        (b'{"force": true, "force": false}', 422),
        (b'{"expect_replay_count": -1}', 422),
        (b'{"reason": "' + b"x" * 501 + b'"}', 422),
        (b"[]", 422),
        (b"{", 400),
        (b"x" * 70_000, 413),
    ],
)
async def test_the_body_is_read_strictly(body: bytes, status: int) -> None:
    async with bench_of() as bench, Served() as serve:
        world = await world_of(bench)
        headers = {**OPERATOR, "Content-Type": "application/json"}
        answer = await (await serve(world.app())).post(f"{world.path}/replay", content=body, headers=headers)
        assert answer.status_code == status
        assert await world.audited() == []


async def test_the_task_has_the_name_of_the_contract() -> None:
    async with bench_of() as bench, Served() as serve:
        world = await world_of(bench)
        names = HttpNames(
            ContractAliasConfig(http_aliases={"task_id": "job"}, field_aliases={"task_id": "jobId"})
        )
        client = await serve(world.app(names=names))
        by_query = world.query.replace("task_id", "job")
        for path in (world.path, f"/executions/dead-letters/letter?{by_query}"):
            answer = (await client.get(path, headers=READER)).json()
            assert answer["jobId"] == "order/7"
            assert "task_id" not in answer


@pytest.mark.parametrize(
    "query", ["", "task_id=order%2F7", "task_id=order%2F7&dead_letter_id=", "task_id=a&force=maybe"]
)
async def test_a_question_without_its_parameters_is_422(query: str) -> None:
    async with bench_of() as bench, Served() as serve:
        world = await world_of(bench)
        client = await serve(world.app())
        answer = await client.get(f"/executions/dead-letters/plan?{query}", headers=READER)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_query")
        wrong = await client.get(f"{world.path}/plan?force=maybe", headers=READER)
        assert wrong.status_code == 422
