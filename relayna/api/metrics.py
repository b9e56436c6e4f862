"""`GET /metrics`: the numbers of this process, of all tenants.

Owns the choice of the format. What is measured is in `relayna.observability.metrics`.
"""

from __future__ import annotations

from prometheus_client.core import CollectorRegistry
from starlette.responses import Response

from relayna.api.endpoint import ApiRequest, Endpoint
from relayna.api.negotiation import preferred_media_type
from relayna.api.problems import not_acceptable
from relayna.api.responses import make_response
from relayna.observability.metrics import OPEN_METRICS, TEXT, content_type, expose

__all__ = ["metrics_endpoint"]


def metrics_endpoint(registry: CollectorRegistry) -> Endpoint:
    """Prometheus text, or OpenMetrics with exemplars for those who accept that more."""

    async def get_metrics(request: ApiRequest) -> Response:
        accept = ", ".join(request.http.headers.getlist("accept"))
        wanted = preferred_media_type(accept, (TEXT, OPEN_METRICS))
        if wanted is None:
            return not_acceptable((TEXT, OPEN_METRICS))
        body = expose(registry, wanted)
        return make_response(body, media_type=content_type(wanted), headers={"Vary": "Accept"})

    return Endpoint(
        path="/metrics",
        name="metrics",
        summary="The numbers of this process, for Prometheus.",
        answer=get_metrics,
        scope="metrics",
        returns={TEXT: None, OPEN_METRICS: None},
        problems=(406,),
    )
