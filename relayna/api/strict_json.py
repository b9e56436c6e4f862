"""The JSON body of a request, read strictly: one meaning, or none.

Owns what a body may look like before a route sees it: its media type, its size, its depth, that no field is
unknown and none is given twice. What the fields mean, the route says.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct
from starlette.requests import Request

from relayna.api.endpoint import ApiRequest
from relayna.api.problems import RequestRefused
from relayna.api.request_body import whole_body

__all__ = ["body_of", "decode_strictly", "invalid_body", "invalid_json", "not_json"]

StructT = TypeVar("StructT", bound=Struct)

_DEEPEST: Final = 32
# A string, also one without an end, or a bracket outside of strings. Possessive: each byte is looked at once.
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{\]}]', re.DOTALL)
_MEDIA_TYPE: Final = re.compile(r'application/json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?', re.IGNORECASE)


async def body_of(request: ApiRequest, takes: type[StructT]) -> StructT:
    """The request's body as a `takes`, which forbids unknown fields.

    Raises `RequestRefused`: 415 for another media type, 413 and 408 for a body that is too long or too slow,
    400 for one that is no JSON, 422 for JSON that is no `takes`.
    """
    _check_media_type(request.http)
    return decode_strictly(await whole_body(request.http), takes)


def decode_strictly(body: bytes, takes: type[StructT]) -> StructT:
    """JSON as a `takes`. Raises `RequestRefused`, and `TypeError` for a Struct that lets unknown fields pass."""
    if not takes.__struct_config__.forbid_unknown_fields:
        raise TypeError(f"{takes.__name__} must be a Struct with forbid_unknown_fields=True")
    _check_depth(body)
    try:
        decoded = msgspec.json.decode(body, type=takes)
    except msgspec.ValidationError as error:
        raise invalid_body(f"{error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid_json(str(error)) from None
    json.loads(body, object_pairs_hook=_each_once, parse_int=str, parse_float=str)
    return decoded


def _check_media_type(request: Request) -> None:
    given = request.headers.getlist("content-type")
    # A form of another site's page can be sent without asking us first; JSON cannot.
    if len(given) != 1 or not _MEDIA_TYPE.fullmatch(given[0].strip()):
        raise not_json()


def _check_depth(body: bytes) -> None:
    depth = 0
    for token in _TOKEN.finditer(body):
        match token[0]:
            case b"[" | b"{":
                depth += 1
                if depth > _DEEPEST:
                    raise invalid_body(f"It is nested deeper than {_DEEPEST} levels.")
            case b"]" | b"}":
                depth -= 1


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:  # Any: JSON values
    fields: dict[str, Any] = {}  # Any: JSON values
    for name, value in pairs:
        if name in fields:
            raise invalid_body(f"Field {name[:80]!r} is given more than once.")
        fields[name] = value
    return fields


def invalid_body(problem: str) -> RequestRefused:
    """422: JSON, and not what is taken."""
    return RequestRefused(
        422, "invalid_body", f"The body is not what this takes. {problem}", "Correct it and send it again."
    )


def invalid_json(problem: str) -> RequestRefused:
    """400: no JSON."""
    hint = "Send one JSON object in UTF-8, without NaN, comments or a byte order mark."
    return RequestRefused(400, "invalid_json", f"The body is no JSON: {problem}.", hint)


def not_json() -> RequestRefused:
    """415: said to be something else than JSON."""
    hint = "Send Content-Type: application/json, once."
    return RequestRefused(415, "not_json", "The body is not sent as JSON.", hint)
