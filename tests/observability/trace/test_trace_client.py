"""The client of traces against a real service: typed answers, and what went wrong."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import anyio.to_thread
import msgspec
import pytest
from api.serving import serving
from api.whole_service import guarded, token_entry, whole_app
from observability.trace.diamond import check_diamond, record_diamond
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from relayna.api.runtime import RelaynaRuntime
from relayna.api.tokens import TokenAccess, new_token
from relayna.errors import ConfigurationError
from relayna.observability.trace import TraceClient, TraceRequestFailed
from relayna.streams import MemoryLog

pytestmark = pytest.mark.anyio


class Service(NamedTuple):
    url: str
    token: str


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """One that knows the diamond, and takes uploads of the token."""
    token, tokens = new_token(), tmp_path / "tokens.toml"
    tokens.write_text(token_entry("notebook", token, "read", "record"), encoding="utf-8")
    log = MemoryLog()
    await record_diamond(log)
    app = whole_app(RelaynaRuntime(log=log), access=TokenAccess(tokens), allow_writes=True)
    async with guarded(app) as url:
        yield Service(url, token)


async def test_an_analysis_is_a_typed_value(service: Service) -> None:
    client = TraceClient(service.url, token=service.token)
    check_diamond(await anyio.to_thread.run_sync(client.analysis, "d"))


async def test_rows_come_down_and_go_up_again(service: Service) -> None:
    client = TraceClient(service.url, token=service.token)
    rows = await anyio.to_thread.run_sync(lambda: list(client.rows("a", "spans")))
    assert {json.loads(row)["attributes"]["data_id"] for row in rows} == set("abcd")
    uploaded = await anyio.to_thread.run_sync(lambda: client.upload("a b/c", "spans", iter([*rows, b"{}"])))
    assert (uploaded.task_id, uploaded.accepted, uploaded.bad) == ("a b/c", 12, 1)


async def test_a_refusal_says_which_and_why(service: Service) -> None:
    for client, session_id, status, code in (
        (TraceClient(service.url, token=service.token), "nobody", 404, "execution_not_found"),
        (TraceClient(service.url), "a", 401, "not_authenticated"),
    ):
        with pytest.raises(TraceRequestFailed) as refused:
            await anyio.to_thread.run_sync(client.analysis, session_id)
        assert (refused.value.status, refused.value.code) == (status, code)
        assert service.token not in str(refused.value)


async def test_an_answer_with_other_fields_is_refused(service: Service) -> None:
    client = TraceClient(service.url, token=service.token)
    summary = msgspec.to_builtins(await anyio.to_thread.run_sync(client.analysis, "a"))
    changed = json.dumps({**summary, "surprise": 1}).encode()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(changed, media_type="application/json")(scope, receive, send)

    async with serving(app, lifespan="off") as url:
        with pytest.raises(TraceRequestFailed, match="surprise"):
            await anyio.to_thread.run_sync(TraceClient(url).analysis, "a")


def test_nobody_there_is_an_error_of_ours() -> None:
    with pytest.raises(TraceRequestFailed, match="nothing") as failed:
        TraceClient("http://127.0.0.1:1", timeout_seconds=5).analysis("a")
    assert failed.value.status is None


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        TraceClient("file:///etc/hosts")
