"""`GET /stats`: attempts over days, by queue, stage and handler. Owns how a request becomes a question."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from relayna.api.endpoint import ApiRequest, Endpoint, Parameter
from relayna.api.responses import JSON, make_response
from relayna.api.tenants import OfCaller
from relayna.observability.read_models import StatisticsService
from relayna.observability.read_models.attempt_statistics import MOST_DAYS
from relayna.observability.read_models.told import StatisticsTold, statistics_told

__all__ = ["statistics_endpoints"]


def statistics_endpoints(services: OfCaller[StatisticsService]) -> tuple[Endpoint, ...]:
    """The statistics of the caller's tenant."""

    async def get_statistics(request: ApiRequest) -> Response:
        days = request.query.whole_number("days")
        statistics = await services(request.caller).statistics(days=days)
        return make_response(msgspec.json.encode(statistics_told(statistics)), media_type=JSON)

    days = Parameter(
        name="days",
        about="The last so many days, today with them; by default, and at most, for as long as tasks are kept.",
        schema={"type": "integer", "minimum": 1, "maximum": MOST_DAYS},
    )
    return (
        Endpoint(
            path="/stats",
            name="statistics",
            summary="How attempts went, and how long they waited and took, by queue, stage and handler.",
            answer=get_statistics,
            parameters=(days,),
            returns={JSON: StatisticsTold},
        ),
    )
