"""Statuses: the order in which fields are stored. It only ever grows at its end; old streams depend on it."""

from __future__ import annotations

import pytest
from msgspec import Struct

from relayna.events.status import TERMINAL_STATUSES, StatusPublished

STORED_ORDER: dict[type[Struct], str] = {
    StatusPublished: "status message meta message_id stage retry_attempt",
}


@pytest.mark.parametrize("event_type", STORED_ORDER, ids=lambda event_type: event_type.__name__)
def test_the_stored_order_only_grows(event_type: type[Struct]) -> None:
    known = STORED_ORDER[event_type].split()
    assert list(event_type.__struct_fields__[: len(known)]) == known


def test_four_statuses_end_a_task() -> None:
    assert {"completed", "failed", "dead_lettered", "cancelled"} == TERMINAL_STATUSES
