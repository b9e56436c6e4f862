"""An app behind an access: who gets in, and what the app learns of them."""

from __future__ import annotations

import httpx2
import pytest
from api.serving import Serve
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from relayna.api.caller import Caller
from relayna.api.guarded_app import GuardedApp, known_caller
from relayna.api.problems import NotAuthenticated, RequestRefused

pytestmark = pytest.mark.anyio


class ByHeader:
    """Believes what the request says."""

    def caller_of(self, request: Request) -> Caller:
        name = request.headers.get("x-name")
        if name is None:
            raise NotAuthenticated
        return Caller(name=name, scopes=frozenset({"read"} if name == "reader" else {"metrics"}))


async def say_who(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(known_caller(scope).name)(scope, receive, send)


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    raise RequestRefused(503, "closed", "It is closed.", "Come back.")


async def status_and_code(client: httpx2.AsyncClient, **headers: str) -> tuple[int, str]:
    answer = await client.get("/", headers={name.replace("_", "-"): value for name, value in headers.items()})
    return answer.status_code, answer.json()["code"]


async def test_the_app_learns_who_asks(serve: Serve) -> None:
    client = await serve(GuardedApp(say_who, ByHeader()))
    assert (await client.get("/", headers={"x-name": "reader"})).text == "reader"


async def test_others_get_problems(serve: Serve) -> None:
    client = await serve(GuardedApp(say_who, ByHeader()))
    assert await status_and_code(client) == (401, "not_authenticated")
    assert await status_and_code(client, x_name="scraper") == (403, "not_allowed")


async def test_without_an_access_everybody_is_anybody(serve: Serve) -> None:
    client = await serve(GuardedApp(say_who))
    assert (await client.get("/")).text == "anybody"


async def test_a_refusal_of_the_app_is_a_problem_too(serve: Serve) -> None:
    assert await status_and_code(await serve(GuardedApp(refuse))) == (503, "closed")


def test_behind_no_guard_nobody_is_known() -> None:
    with pytest.raises(NotAuthenticated):
        known_caller({"type": "http"})
