"""Who is let in where, and with what every answer is sent."""

from __future__ import annotations

import pytest
from api.serving import Serve
from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from relayna.api.access import OpenAccess
from relayna.api.caller import Caller, Scope
from relayna.api.endpoint import ApiRequest, Endpoint, routes_of
from relayna.api.problems import NotAuthenticated
from relayna.api.responses import JSON, SECURITY_HEADERS, make_response

pytestmark = pytest.mark.anyio


class Doorkeeper:
    """Knows one caller, by the Authorization header."""

    def __init__(self, *scopes: Scope) -> None:
        self._caller = Caller(name="ada", scopes=frozenset(scopes))

    def caller_of(self, request: Request) -> Caller:
        """Ada, or nobody."""
        if request.headers.get("authorization") != "Bearer ada":
            raise NotAuthenticated
        return self._caller


async def greet(request: ApiRequest) -> Response:
    return make_response(f'"{request.caller.name}"'.encode(), media_type=JSON)


async def stream(request: ApiRequest) -> Response:
    return Response(b"data: x\n\n", headers={"Cache-Control": "no-store", "Vary": "Accept"})


READ = Endpoint(path="/read", name="read", summary="Read.", answer=greet)
WRITE = replace(READ, path="/write", name="write", method="POST", scope="replay")
OPEN = replace(READ, path="/open", name="open", scope=None)
STREAM = replace(READ, path="/stream", name="stream", answer=stream)
TABLE = (READ, WRITE, OPEN, STREAM)
ADA = {"Authorization": "Bearer ada"}


@pytest.mark.parametrize(
    ("scopes", "allow_writes", "expected"),
    [
        ((), False, [403, 403, 200]),
        (("read",), False, [200, 403, 200]),
        (("read",), True, [200, 403, 200]),
        (("read", "replay"), False, [200, 403, 200]),
        (("replay",), True, [403, 200, 200]),
        (("payloads", "metrics"), True, [403, 403, 200]),
    ],
)
async def test_a_token_opens_what_it_is_for(
    serve: Serve, scopes: tuple[Scope, ...], allow_writes: bool, expected: list[int]
) -> None:
    client = await serve(Starlette(routes=routes_of(TABLE, Doorkeeper(*scopes), allow_writes=allow_writes)))
    answers = [
        await client.get("/read", headers=ADA),
        await client.post("/write", headers=ADA),
        await client.get("/open", headers=ADA),
    ]
    assert [answer.status_code for answer in answers] == expected
    strangers = [await client.get("/read"), await client.post("/write"), await client.get("/open")]
    assert [answer.status_code for answer in strangers] == [401, 401, 200]
    assert [answer.headers.get("www-authenticate") for answer in strangers] == ["Bearer", "Bearer", None]


async def test_the_refusal_says_what_is_missing(serve: Serve) -> None:
    client = await serve(Starlette(routes=routes_of(TABLE, Doorkeeper("read", "replay"))))
    off = (await client.post("/write", headers=ADA)).json()
    assert (off["code"], off["hint"]) == (
        "writes_are_off",
        "Whoever runs the service can set RELAYNA_ALLOW_WRITES.",
    )
    client = await serve(Starlette(routes=routes_of(TABLE, Doorkeeper("read"), allow_writes=True)))
    lacking = (await client.post("/write", headers=ADA)).json()
    assert (lacking["code"], lacking["detail"]) == ("not_allowed", "The token lacks the scope 'replay'.")


async def test_without_tokens_all_may_read_and_nobody_may_write(serve: Serve) -> None:
    client = await serve(Starlette(routes=routes_of(TABLE, OpenAccess(), allow_writes=True)))
    assert (await client.get("/read")).status_code == 200
    assert (await client.post("/write")).status_code == 403


async def test_what_a_token_was_shown_for_is_private(serve: Serve) -> None:
    client = await serve(Starlette(routes=routes_of(TABLE, Doorkeeper("read"))))
    private = await client.get("/read", headers=ADA)
    assert (private.headers["cache-control"], private.headers["vary"]) == (
        "private, no-cache",
        "Authorization",
    )
    kept = await client.get("/stream", headers=ADA)
    assert (kept.headers["cache-control"], kept.headers["vary"]) == ("no-store", "Accept, Authorization")
    public = await client.get("/open")
    assert (public.headers["cache-control"], "vary" in public.headers) == ("no-cache", False)


async def test_every_answer_is_safe_to_open_in_a_browser(serve: Serve) -> None:
    client = await serve(Starlette(routes=routes_of(TABLE, Doorkeeper("read"))))
    for answer in (
        await client.get("/read", headers=ADA),
        await client.get("/read"),
        await client.get("/stream", headers=ADA),
        await client.post("/write", headers=ADA),
    ):
        assert {name: answer.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
        assert not [name for name in answer.headers if name.startswith("access-control")]
