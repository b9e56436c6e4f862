"""The scenarios, one for each family of topologies, registered once; and how they are played."""

from __future__ import annotations

from typing import Final

import anyio

from relayna.cli.demo.invoices import INVOICES
from relayna.cli.demo.orders import ORDERS
from relayna.cli.demo.photos import PHOTOS
from relayna.cli.demo.reports import REPORTS
from relayna.cli.demo.venue import Venue
from relayna.cli.demo.world import DemoWorld, Scenario
from relayna.ids import Tenant
from relayna.observability.graph_service import ExecutionGraphService
from relayna.projections.graph import ExecutionGraph
from relayna.signals import Counters
from relayna.streams import Log

__all__ = ["FAILING", "SCENARIOS", "play_all"]

SCENARIOS: Final[tuple[Scenario, ...]] = (INVOICES, PHOTOS, REPORTS, ORDERS)

FAILING: Final = REPORTS
"""The one whose graph is drawn."""

_SECONDS_TO_PLAY: Final = 60.0


async def play_all(
    venue: Venue,
    log: Log,
    tenant: Tenant,
    service: ExecutionGraphService,
    counters: Counters | None = None,
) -> dict[str, ExecutionGraph]:
    """Play every scenario at the same time; the graph of each by the scenario's name.

    Raises `BrokerError` when there is nothing to play on, and `TimeoutError` when it does not end.
    """
    world = DemoWorld(venue, log, tenant, service, counters)
    with anyio.fail_after(_SECONDS_TO_PLAY):
        async with venue, anyio.create_task_group() as stage:
            for scenario in SCENARIOS:
                stage.start_soon(scenario.play, world)
    return {scenario.name: await service.get_graph(scenario.task_id) for scenario in SCENARIOS}
