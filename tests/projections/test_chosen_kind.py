"""Of several kinds the most specific one is taken."""

from __future__ import annotations

import pytest

from relayna.projections.chosen_kind import chosen_kind


@pytest.mark.parametrize(
    ("named", "configured", "kind"),
    [
        ([], None, "shared_tasks_shared_status"),
        (["unheard of"], "unheard of", "shared_tasks_shared_status"),
        (["shared_status_workflow", "shared_tasks_shared_status"], None, "shared_status_workflow"),
        (["shared_status_workflow"], "routed_tasks_shared_status", "routed_tasks_shared_status"),
        ([], "shared_status_workflow", "shared_status_workflow"),
    ],
)
def test_a_configured_kind_wins_else_the_most_specific_one(
    named: list[str], configured: str | None, kind: str
) -> None:
    assert chosen_kind(named, configured=configured) == kind
    assert chosen_kind(named[::-1], configured=configured) == kind
