"""Spans and outputs: the order in which fields are stored. It only ever grows at its end."""

from __future__ import annotations

import pytest
from msgspec import Struct

from relayna.events.trace import OutputRecorded, SpanEnded

STORED_ORDER: dict[type[Struct], str] = {
    SpanEnded: (
        "name started_at ended_at type data_id span_id parent_span_id batch_id payload_bytes trace_id linked_to "
        "attributes"
    ),
    OutputRecorded: "data_id sources asset_guid version user_id payload_bytes",
}


@pytest.mark.parametrize("event_type", STORED_ORDER, ids=lambda event_type: event_type.__name__)
def test_the_stored_order_only_grows(event_type: type[Struct]) -> None:
    known = STORED_ORDER[event_type].split()
    assert list(event_type.__struct_fields__[: len(known)]) == known
