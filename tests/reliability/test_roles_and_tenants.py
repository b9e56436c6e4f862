"""T34: nobody sees what is another tenant's, or learns that it is there; nobody does what their token does not allow.

The routes are those of the service's own table, so a new one is asked as soon as it is there.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

import anyio
import httpx2
import pytest
from api.whole_service import guarded, token_entry, whole_app
from msgspec import Struct
from reliability.report import Findings, ReliabilityReport
from reliability.sizes import sized
from servers import StoreUnderTest

from relayna.api.endpoint import Endpoint, Parameter
from relayna.api.runtime import RelaynaRuntime
from relayna.api.tokens import TokenAccess
from relayna.clock import SystemClock
from relayna.events import DeadLetterRecorded, Envelope, Event, TaskPublished, encode_event, encode_frame
from relayna.ids import EventId, TaskId, Tenant
from relayna.observability import StatusStore
from relayna.streams import Append, Log, TaskAddress
from relayna.streams.redis import RedisLog

pytestmark = [pytest.mark.anyio, pytest.mark.fault]

TENANTS: Final = ("acme", "globex")
ROLES: Final[dict[str, tuple[str, ...] | None]] = {
    "nobody": None,
    "stranger": None,
    "meter": ("metrics",),
    "reader": ("read",),
    "inspector": ("read", "payloads"),
    "operator": ("read", "replay"),
    "administrator": ("read", "payloads", "replay", "record", "metrics"),
}
"""By role, the scopes of its token; None where there is none that is known."""

STREAM: Final = "text/event-stream"
TASK_PARAMETERS: Final = ("task_id", "run_id", "session_id", "a", "b")
"""By which a task is asked about."""
SWITCHES: Final = ("RELAYNA_LINEAGE_EMIT", "RELAYNA_LINEAGE_READ", "RELAYNA_LINEAGE_LIVE")


class Answer(Struct, frozen=True):
    """What came back, without its time."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def about(self, name: str) -> Answer:
        """The same with this id, and what is made of it, called by one name."""
        body = self.body.replace(name.encode(), b"ID").replace(quote(name).encode(), b"ID")
        return Answer(self.status, self.headers, body)

    def names(self, tenant: str) -> bool:
        """Whether anything of a tenant's is in it."""
        return tenant.encode() in self.body or any(tenant in value for _, value in self.headers)


def task_of(tenant: str, number: int) -> str:
    """One of a tenant's tasks. Its letter's id begins with it."""
    return f"{tenant}-{number:03}"


@sized(tasks=20)
async def test_nobody_sees_more_than_their_token_shows(
    tasks: int,
    any_store: StoreUnderTest,
    tmp_path: Path,
    reliability: ReliabilityReport,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """T34: roles x tenants x routes x own and foreign ids."""
    for switch in SWITCHES:
        monkeypatch.setenv(switch, "1")
    log = RedisLog(any_store.url, prefix=any_store.prefix, shard_count=4)
    async with log:
        for tenant in TENANTS:
            for number in range(tasks):
                await record(log, tenant, number)
    runtime = RelaynaRuntime(log=log)
    requests, wrong = 0, []
    async with clients(runtime, tmp_path) as client_of:
        for tenant in TENANTS:
            await listed(client_of["reader", tenant], [task_of(tenant, number) for number in range(tasks)])
        for endpoint in runtime.endpoints():
            for (role, tenant), client in client_of.items():
                for number in range(tasks if names_task(endpoint) else 1):
                    asked, found = await findings(client, endpoint, role, tenant, number)
                    requests += asked
                    wrong += [f"{endpoint.name} {role} of {tenant}: {one}" for one in found]
    print(f"{requests} requests")
    assert wrong == []
    reliability.add(
        "T34 roles and tenants", Findings(tasks=tasks * 2, bad_inputs=requests, unexpected=len(wrong))
    )


async def listed(client: httpx2.AsyncClient, names: list[str]) -> None:
    """Return when all of them are in the list of executions: what is in none is shown to nobody."""
    with anyio.fail_after(60):
        while True:
            answer = await client.get("/executions?limit=200")
            if all(name.encode() in answer.content for name in names):
                return
            await anyio.sleep(0.05)


async def findings(
    client: httpx2.AsyncClient, endpoint: Endpoint, role: str, tenant: str, number: int
) -> tuple[int, list[str]]:
    """How many requests were made, and what was wrong with the answers."""
    [other] = {*TENANTS} - {tenant}
    own, foreign = task_of(tenant, number), task_of(other, number)
    missing = "x" * len(foreign)
    answers = {name: await ask(client, endpoint, name) for name in (own, foreign, missing)}
    found = []
    gate = closed_to(endpoint, role)
    for name, answer in answers.items():
        if gate is not None and answer.status != gate:
            found.append(f"{name} is answered with {answer.status}, not {gate}")
        if gate is None and answer.status in (401, 403):
            found.append(f"{name} is refused: {answer.body!r}")
        if answer.about(name).names(other):
            found.append(f"{name} shows something of {other}")
    may_name = any(one.name in TASK_PARAMETERS for one in endpoint.parameters)
    if may_name and answers[foreign].about(foreign) != answers[missing].about(missing):
        found.append(f"{foreign} is answered otherwise than a task that is not there: {answers[foreign]}")
    if gate is None and names_task(endpoint) and endpoint.method == "GET" and answers[own].status != 200:
        found.append(f"{own} is answered with {answers[own].status}: {answers[own].body!r}")
    return len(answers), found


def closed_to(endpoint: Endpoint, role: str) -> int | None:
    """How everybody of this role is turned away; None where they are let in."""
    scopes = ROLES[role]
    if endpoint.scope is None:
        return None
    if scopes is None:
        return 401
    return None if endpoint.scope in scopes else 403


async def ask(client: httpx2.AsyncClient, endpoint: Endpoint, name: str) -> Answer:
    """Ask an endpoint about a task; of a stream, only its beginning is taken."""
    given = {parameter.name: value_of(parameter, name) for parameter in endpoint.parameters}
    path = re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: quote(given[found[1]], safe=""), endpoint.path)
    asked = [one for one in endpoint.parameters if one.required or one.name in TASK_PARAMETERS]
    query = {one.name: given[one.name] for one in asked if one.of == "query"}
    content = None if endpoint.takes is None else b"{}"
    headers = {} if content is None else {"Content-Type": "application/json"}
    if endpoint.takes_lines is not None:
        content, headers = b"", {"Content-Type": endpoint.takes_lines}
    target = f"{path}?{urlencode(query)}" if query else path
    async with client.stream(endpoint.method, target, content=content, headers=headers) as response:
        body = b""
        if response.headers.get("content-type", "").startswith(STREAM):
            body = await anext(aiter(response.aiter_bytes()), b"")
        else:
            body = await response.aread()
    told = tuple(sorted((key, value) for key, value in response.headers.items() if key != "date"))
    return Answer(response.status_code, told, body)


def value_of(parameter: Parameter, name: str) -> str:
    """What is given for a parameter: the task's id, one of its choices, and for other ids that of its dead letter."""
    if "enum" in parameter.schema:
        return str(parameter.schema["enum"][0])
    return name if parameter.name in TASK_PARAMETERS else f"{name}-letter"


def names_task(endpoint: Endpoint) -> bool:
    """Whether it is asked about one task."""
    return any(one.name in TASK_PARAMETERS and one.required for one in endpoint.parameters)


@asynccontextmanager
async def clients(
    runtime: RelaynaRuntime, folder: Path
) -> AsyncIterator[dict[tuple[str, str], httpx2.AsyncClient]]:
    """The service, and a client for each role in each tenant."""
    tokens = folder / "tokens.toml"
    tokens.write_text("".join(entries()), encoding="utf-8")
    app = whole_app(runtime, access=TokenAccess(tokens), allow_writes=True)
    async with AsyncExitStack() as open_ones:
        url = await open_ones.enter_async_context(guarded(app))
        yield {
            (role, tenant): await open_ones.enter_async_context(
                httpx2.AsyncClient(base_url=url, headers=headers_of(role, tenant), timeout=30)
            )
            for role in ROLES
            for tenant in TENANTS
        }


def entries() -> Iterator[str]:
    """Those of the file of tokens."""
    for role, scopes in ROLES.items():
        for tenant in TENANTS:
            if scopes is not None:
                yield token_entry(f"{role}-{tenant}", f"relayna_{role}_{tenant}", *scopes, tenant=tenant)


def headers_of(role: str, tenant: str) -> dict[str, str]:
    """With the token of this role; a stranger has one that nobody knows."""
    return {} if role == "nobody" else {"Authorization": f"Bearer relayna_{role}_{tenant}"}


async def record(log: Log, tenant: str, number: int) -> None:
    """A task with a start, a status and a dead letter, all of which name their tenant."""
    name = task_of(tenant, number)
    store = StatusStore(log, tenant=tenant)
    await store.add_status(name, "failed", meta={"of": f"a secret of {tenant}"}, message_id=f"{name}-message")
    now = SystemClock().now()
    envelope = Envelope(event_id=EventId(f"{name}.letter"), timestamp=now, task_id=TaskId(name))
    letter = DeadLetterRecorded(
        dead_letter_id=f"{name}-letter",
        queue_name=f"{tenant}.dead_letters",
        source_queue_name=f"{tenant}.tasks",
        reason="rejected",
        headers={"of": f"a secret of {tenant}"},
        body=f"a secret of {tenant}".encode(),
    )
    published = Envelope(event_id=EventId(f"{name}.published"), timestamp=now, task_id=TaskId(name))
    told = [Event(envelope=published, body=TaskPublished()), Event(envelope=envelope, body=letter)]
    frame = encode_frame(TaskId(name), None, now // 1000, [encode_event(event) for event in told])
    await log.append([Append(TaskAddress(TaskId(name), Tenant(tenant)), frame)])
