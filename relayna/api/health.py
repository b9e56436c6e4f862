"""`GET /livez`: whether this process answers. Depends on nothing, so that no store's fault restarts it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from relayna.api.responses import JSON, make_response

__all__ = ["livez_route"]


def livez_route() -> Route:
    """The route `/livez`, which always answers `{"status":"ok"}`."""
    return Route("/livez", _livez, name="livez")


async def _livez(request: Request) -> Response:
    return make_response(b'{"status":"ok"}', media_type=JSON)
