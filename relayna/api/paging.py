"""How a page of a list leads to the next one: in `Link`, beside `next` in the body (RFC 8288).

Owns how that link is spelled. What a cursor means, the one who gave it knows.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlencode

from relayna.api.endpoint import ApiRequest, Parameter

__all__ = ["CURSOR", "limit_parameter", "next_link"]

CURSOR = Parameter(name="cursor", about="Where to go on: `next` of the answer before.")


def limit_parameter(*, default: int, most: int) -> Parameter:
    """How many a page holds at most."""
    return Parameter(
        name="limit",
        about="At most so many.",
        schema={"type": "integer", "minimum": 1, "maximum": most, "default": default},
    )


def next_link(request: ApiRequest, parameters: Iterable[Parameter], cursor: str | None) -> dict[str, str]:
    """The header that leads to the page behind `cursor`; none without one.

    It is relative, so that it holds behind any proxy: the same path with what was asked for by query, all of
    it percent-encoded.
    """
    if cursor is None:
        return {}
    asked = {
        parameter.name: text
        for parameter in parameters
        if parameter.of == "query" and (text := request.query.text(parameter.name)) is not None
    }
    return {"Link": f'<?{urlencode({**asked, "cursor": cursor})}>; rel="next"'}
