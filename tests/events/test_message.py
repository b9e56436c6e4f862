"""What went in and came out: the order in which fields are stored. It only ever grows at its end."""

from __future__ import annotations

import pytest
from msgspec import Struct

from relayna.events.message import MessageInputRecorded, MessageOutputRecorded

STORED_ORDER: dict[type[Struct], str] = {
    MessageInputRecorded: (
        "message_id input_hash payload_bytes storage_key exchange routing_key queue_name stage batch_id handler"
    ),
    MessageOutputRecorded: "message_id output_hash stage",
}


@pytest.mark.parametrize("event_type", STORED_ORDER, ids=lambda event_type: event_type.__name__)
def test_the_stored_order_only_grows(event_type: type[Struct]) -> None:
    known = STORED_ORDER[event_type].split()
    assert list(event_type.__struct_fields__[: len(known)]) == known
