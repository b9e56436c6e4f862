from __future__ import annotations

from starlette.requests import Request

from relayna.api.caller import Caller
from relayna.api.endpoint import ApiRequest, Parameter
from relayna.api.paging import CURSOR, limit_parameter, next_link
from relayna.api.query import QueryParameters

PARAMETERS = (
    Parameter(name="task_id", about="", of="path"),
    Parameter(name="queue", about=""),
    limit_parameter(default=50, most=200),
    CURSOR,
)


def asking(query: str) -> ApiRequest:
    http = Request({"type": "http", "query_string": query.encode(), "headers": []})
    return ApiRequest(http, Caller(name="anybody", scopes=frozenset()), QueryParameters(query.encode()))


def test_the_last_page_leads_nowhere() -> None:
    assert next_link(asking("limit=5"), PARAMETERS, None) == {}


def test_what_was_asked_for_is_kept_and_the_cursor_is_new() -> None:
    link = next_link(asking("limit=5&queue=a%26b%0d%0a&cursor=old&task_id=x&utm=1"), PARAMETERS, "new=")
    assert link == {"Link": '<?queue=a%26b%0D%0A&limit=5&cursor=new%3D>; rel="next"'}


def test_a_limit_says_its_bounds() -> None:
    assert limit_parameter(default=50, most=200).schema == {
        "type": "integer",
        "minimum": 1,
        "maximum": 200,
        "default": 50,
    }
