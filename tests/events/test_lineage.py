"""Children: the order in which fields are stored. It only ever grows at its end; old streams depend on it."""

from __future__ import annotations

import pytest
from msgspec import Struct

from relayna.events.lineage import (
    ChildFinished,
    ChildRegistered,
    DecisionRecorded,
    RunEdgeRecorded,
    UsageRecorded,
)

STORED_ORDER: dict[type[Struct], str] = {
    ChildRegistered: "child_task_id message_id task_type variant group_key label",
    ChildFinished: "child_task_id status",
    RunEdgeRecorded: "kind target_run source_run wakes variant group_key label cost_attributed tokens_attributed metadata",
    DecisionRecorded: "action rule reason",
    UsageRecorded: "cost tokens label",
}


@pytest.mark.parametrize("event_type", STORED_ORDER, ids=lambda event_type: event_type.__name__)
def test_the_stored_order_only_grows(event_type: type[Struct]) -> None:
    known = STORED_ORDER[event_type].split()
    assert list(event_type.__struct_fields__[: len(known)]) == known
