"""What docs/http.md asks is answered as it shows."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx2
import pytest
from api.execution_routes import executions_app
from api.serving import client_of
from observability.kept_histories import keep

from relayna.settings import Settings
from relayna.streams import MemoryLog
from relayna.testing import history

pytestmark = pytest.mark.anyio

PAGE = (Path(__file__).parents[2] / "docs" / "http.md").read_text(encoding="utf-8")
BASE = f"http://{Settings().host}:{Settings().port}"
COMMANDS = re.findall(r"^```sh\n(.*?)^```(?:\n\n```json\n(.*?)^```)?", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    """Of a service that knows the task of the page."""
    log = MemoryLog()
    task = history("order-7", tick=0.5).published(task_type="email")
    attempt = task.attempt()
    attempt.fails("TimeoutError", "no answer").retried(delay_ms=30_000)
    await keep(log, attempt.events)
    async with client_of(executions_app(log)) as client:
        yield client


async def ask(client: httpx2.AsyncClient, command: str) -> httpx2.Response:
    """What curl would get."""
    name, *rest, url = shlex.split(command)
    assert name == "curl"
    headers = dict(
        value.split(": ", 1) for flag, value in zip(rest[::2], rest[1::2], strict=True) if flag == "-H"
    )
    assert url.startswith(BASE)
    if "…" in headers.get("If-None-Match", ""):
        headers["If-None-Match"] = (await client.get(url.removeprefix(BASE))).headers["ETag"]
    return await client.get(url.removeprefix(BASE), headers=headers)


def assert_shown(shown: Any, answered: Any) -> None:
    """Everything that is shown is in the answer; lists are shown whole."""
    if isinstance(shown, dict):
        for name, value in shown.items():
            assert name in answered
            assert_shown(value, answered[name])
    elif isinstance(shown, list):
        assert len(shown) == len(answered)
        for one, other in zip(shown, answered, strict=True):
            assert_shown(one, other)
    else:
        assert shown == answered


async def test_every_command_is_answered_as_shown(client: httpx2.AsyncClient) -> None:
    assert len(COMMANDS) >= 8
    for commands, shown in COMMANDS:
        answers = [await ask(client, command) for command in commands.strip().split("\n")]
        if shown:
            [answer] = answers
            assert_shown(json.loads(shown), answer.json())
        else:
            assert {answer.status_code for answer in answers} <= {200, 304}


async def test_to_ask_again_is_304(client: httpx2.AsyncClient) -> None:
    [command] = [commands for commands, _ in COMMANDS if "If-None-Match" in commands]
    assert (await ask(client, command.strip())).status_code == 304


async def test_the_pages_are_the_history(client: httpx2.AsyncClient) -> None:
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    code = code.replace(BASE, str(client.base_url).rstrip("/"))
    await anyio.to_thread.run_sync(lambda: exec(compile(code, "docs/http.md", "exec"), names))
    whole = (await client.get("/executions/order-7/history")).json()["events"]
    assert names["events"] == whole
    assert len(whole) > 4
