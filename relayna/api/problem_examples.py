"""What the problem of each status looks like, for the OpenAPI document.

Owns one error or two for each status that an answer may have. The problems are made of them as those of real
requests are, so that no example is made up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from relayna.api.endpoint import writes_are_off
from relayna.api.host_check import unknown_host
from relayna.api.limits import compressed, headers_too_large, two_lengths, url_too_long
from relayna.api.problems import NotAllowed, NotAuthenticated, Problem, not_acceptable, problem_of
from relayna.api.request_body import MOST_BODY_BYTES, too_large, too_slow
from relayna.api.responses import JSON
from relayna.api.strict_json import invalid_body, invalid_json, not_json
from relayna.errors import ExecutionNotFound, InvalidQuery, RelaynaError, StoreUnreachable

__all__ = ["problem_examples"]

_ERRORS: Final[Mapping[int, Sequence[Exception]]] = {
    400: (two_lengths(), invalid_json("Input data was truncated")),
    401: (NotAuthenticated(),),
    403: (NotAllowed("reader", "replay"), writes_are_off()),
    404: (ExecutionNotFound("order-7"),),
    408: (too_slow(10.0),),
    413: (too_large(MOST_BODY_BYTES),),
    414: (url_too_long(),),
    415: (not_json(), compressed()),
    421: (unknown_host(),),
    422: (
        InvalidQuery("depth", "51 is not between 0 and 50"),
        invalid_body("Field 'x' is given more than once."),
    ),
    431: (headers_too_large(),),
    500: (RelaynaError(),),
    503: (StoreUnreachable("redis://cache:6379/0", "refused"),),
}


def problem_examples(status: int) -> tuple[Problem, ...]:
    """Problems of this status, as real requests are answered with; none for one that nothing here makes."""
    if status == 406:
        return (msgspec.json.decode(not_acceptable([JSON]).body, type=Problem),)
    return tuple(problem_of(error) for error in _ERRORS.get(status, ()))
