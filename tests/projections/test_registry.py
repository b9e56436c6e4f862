"""Each projection is registered once, and each kind of topology has one."""

from __future__ import annotations

import pytest

from relayna.projections.registry import EXECUTION_PROJECTIONS, PROJECTIONS, execution_projection_for
from relayna.topologies.topology import TOPOLOGY_KINDS


def test_every_kind_has_its_projection_and_every_name_is_one_projection() -> None:
    assert tuple(projection.name for projection in EXECUTION_PROJECTIONS) == TOPOLOGY_KINDS
    assert len({projection.name for projection in PROJECTIONS}) == len(PROJECTIONS)


@pytest.mark.parametrize(
    ("kinds", "configured", "name"),
    [
        ([], None, "shared_tasks_shared_status"),
        (["unheard of"], "unheard of", "shared_tasks_shared_status"),
        (["shared_status_workflow", "shared_tasks_shared_status"], None, "shared_status_workflow"),
        (["shared_status_workflow"], "routed_tasks_shared_status", "routed_tasks_shared_status"),
    ],
)
def test_a_configured_kind_wins_else_the_most_specific_one_named(
    kinds: list[str], configured: str | None, name: str
) -> None:
    assert execution_projection_for(kinds, configured=configured).name == name
    assert execution_projection_for(kinds[::-1], configured=configured).name == name
