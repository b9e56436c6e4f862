"""Confessed loss: the order in which fields are stored. It only ever grows at its end; old streams depend on it."""

from __future__ import annotations

import pytest
from msgspec import Struct

from relayna.events.loss import EventsLost

STORED_ORDER: dict[type[Struct], str] = {
    EventsLost: "seq_ranges count reason outcome",
}


@pytest.mark.parametrize("event_type", STORED_ORDER, ids=lambda event_type: event_type.__name__)
def test_the_stored_order_only_grows(event_type: type[Struct]) -> None:
    known = STORED_ORDER[event_type].split()
    assert list(event_type.__struct_fields__[: len(known)]) == known
