"""What schemathesis makes of the OpenAPI document, asked of the service itself: over TCP, with data, with tokens.

It covers whatever the document tells. Streams that do not end are left to their own tests: a client that waits
for their end would wait for ever.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import httpx2
import pytest
from api.whole_service import guarded, token_entry, whole_app
from msgspec.structs import replace
from observability.kept_histories import keep
from servers import StoreUnderTest

from relayna.api.runtime import RelaynaRuntime
from relayna.api.tokens import TokenAccess, new_token
from relayna.cli.demo.scenarios import play_all
from relayna.cli.demo.venue import MemoryVenue
from relayna.events import TaskPublished
from relayna.ids import MessageId
from relayna.observability.message_told import MessagesWanted
from relayna.streams import DEFAULT_TENANT
from relayna.streams.redis import RedisLog
from relayna.testing import history

pytestmark = pytest.mark.anyio

SEED = "35"
CASES_AT_LEAST = 2_000
SCOPES = ("read", "payloads", "replay", "record", "metrics")
CHECKS_LEFT_OUT = "positive_data_acceptance"  # that parameters contradict each other, no schema tells
STREAM = "text/event-stream"


LINES = """
import schemathesis

@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")
"""
"""How schemathesis sends what it has no word for."""

DEAD = "invoice-1042"
TASKS = (DEAD, "invoice-1041", "order-77")
BATCH = "holiday"


class Service(NamedTuple):
    """Where it is, a token for all of it, and what it knows: a dead letter of a task, and messages."""

    url: str
    token: str
    dead_letter_id: str
    message_ids: list[str]


@pytest.fixture
async def service(
    any_store: StoreUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Service]:
    """A service that knows the demonstration's runs, and answers all that can be switched on."""
    monkeypatch.setenv("RELAYNA_LINEAGE_READ", "1")
    token, tokens = new_token(), tmp_path / "tokens.toml"
    tokens.write_text(token_entry("tester", token, *SCOPES), encoding="utf-8")
    runtime = RelaynaRuntime(log=RedisLog(any_store.url, prefix=any_store.prefix, shard_count=4))
    async with runtime.log:
        await play_all(MemoryVenue(), runtime.log, DEFAULT_TENANT, runtime.execution_graph_service)
        [letter] = await runtime.services.dead_letters.list_dead_letters(DEAD)
        of_a_batch = TaskPublished(message_id=MessageId("photo"), batch_id=BATCH)
        events = history(DEAD).published().events
        await keep(runtime.log, [replace(event, body=of_a_batch) for event in events])
        told = await runtime.services.messages.messages(MessagesWanted(session=DEAD))
    app = whole_app(runtime, access=TokenAccess(tokens), allow_writes=True)
    async with guarded(app) as url:
        message_ids = [message.id for message in told.messages]
        yield Service(url, token, letter["dead_letter_id"], message_ids)


async def test_nothing_breaks_and_every_answer_is_as_the_document_says(
    service: Service, tmp_path: Path
) -> None:
    document = told_strictly(json.loads(await body_of(f"{service.url}/openapi.json")), service)
    (tmp_path / "openapi.json").write_text(json.dumps(document), encoding="utf-8")
    (tmp_path / "lines.py").write_text(LINES, encoding="utf-8")
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    # With those that cover each parameter's edges, twice as many.
    examples = CASES_AT_LEAST // 2 // sum("parameters" in operation for operation in operations)
    options = (
        f"--url {service.url} --checks all --exclude-checks {CHECKS_LEFT_OUT} --seed {SEED} --generation-deterministic "
        f"--max-examples {examples} --continue-on-failure --request-timeout 30 "
        "--report json --report-json-path report.json --no-color"
    )
    command = [sys.executable, "-m", "schemathesis.cli", "run", "openapi.json", *options.split()]
    command += ["--header", f"Authorization: Bearer {service.token}"]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "lines", "PYTHONPATH": str(tmp_path)}
    run = await anyio.run_process(command, check=False, cwd=tmp_path, env=environment)
    assert run.returncode == 0, run.stdout.decode()
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    cases = report["test_cases"]["generated"]
    print(f"seed {SEED}: {cases} cases on {len(operations)} operations")
    assert cases >= CASES_AT_LEAST
    assert report["operations"]["tested"] == len(operations)
    rates = report["valid_rates"]
    assert [name for name, phases in rates.items() if name.startswith("GET ") and not accepted(phases)] == []


def accepted(phases: dict[str, dict[str, int]]) -> int:
    """How many requests to an operation had an answer that was no problem."""
    return sum(phase["accepted"] for phase in phases.values())


def told_strictly(document: dict[str, Any], service: Service) -> dict[str, Any]:
    """The document without endless streams; answers may have no field that it does not tell, and ids are known."""
    paths = {
        path: {method: one for method, one in operations.items() if not is_stream(one)}
        for path, operations in document["paths"].items()
    }
    for operations in paths.values():
        for operation in operations.values():
            tell_of_known(operation, service)
    for schema in document["components"]["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    return {**document, "paths": {path: operations for path, operations in paths.items() if operations}}


def tell_of_known(operation: dict[str, Any], service: Service) -> None:
    """Have about half of the ids lead to something: two that are made up hardly ever do."""
    parameters = {parameter["name"]: parameter for parameter in operation.get("parameters", ())}
    of_a_letter = "dead_letter_id" in parameters
    known = {
        "task_id": TASKS[:1] if of_a_letter else TASKS,
        "dead_letter_id": (service.dead_letter_id,),
        **dict.fromkeys(("run_id", "session_id", "session", "a", "b"), TASKS),
        "message_id": service.message_ids,
        "batch_id": (BATCH,),
    }
    for name in known.keys() & parameters.keys():
        parameters[name]["schema"] = {"anyOf": [{"enum": [*known[name]]}, parameters[name]["schema"]]}


def is_stream(operation: dict[str, Any]) -> bool:
    """Whether its answer goes on for ever."""
    return STREAM in operation["responses"]["200"]["content"]


async def body_of(url: str) -> bytes:
    """What is there."""
    async with httpx2.AsyncClient() as client:
        return (await client.get(url)).content
