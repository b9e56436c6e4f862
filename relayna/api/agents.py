"""`GET /lineage/agents/reliability`: how often the runs of each agent end well.

Owns how a request becomes a question, and that it is answered only while `RELAYNA_LINEAGE_READ` is on.
"""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from relayna.api.endpoint import ApiRequest, Endpoint, Parameter
from relayna.api.lineage_switch import refuse_while_lineage_is_off
from relayna.api.responses import JSON, make_response
from relayna.api.tenants import OfCaller
from relayna.observability.reliability_service import DEFAULT_WINDOW, ReliabilityService
from relayna.observability.reliability_told import AgentsReliability
from relayna.observability.time_window import WINDOW_PATTERN

__all__ = ["agent_endpoints"]


def agent_endpoints(services: OfCaller[ReliabilityService]) -> tuple[Endpoint, ...]:
    """The agents of the caller's tenant."""

    async def get_reliability(request: ApiRequest) -> Response:
        refuse_while_lineage_is_off()
        window = request.query.text("window")
        told = await services(request.caller).agents(DEFAULT_WINDOW if window is None else window)
        return make_response(msgspec.json.encode(told), media_type=JSON)

    window = Parameter(
        name="window",
        about="Runs that began in the last so much time: a number and s, m, h, d or w, at most 366d.",
        schema={"type": "string", "pattern": WINDOW_PATTERN, "default": DEFAULT_WINDOW},
    )
    return (
        Endpoint(
            path="/lineage/agents/reliability",
            name="lineage_agents",
            summary="How often the runs of each agent, a handler or else a queue or stage, end well.",
            answer=get_reliability,
            parameters=(window,),
            returns={JSON: AgentsReliability},
            problems=(404, 422, 503),
        ),
    )
