"""Dead letters: the order in which fields are stored. It only ever grows at its end; old streams depend on it."""

from __future__ import annotations

import pytest
from msgspec import Struct

from relayna.events.dead_letter import DeadLetterRecorded, DeadLetterReplayClaimed, DeadLetterReplayed

STORED_ORDER: dict[type[Struct], str] = {
    DeadLetterRecorded: "dead_letter_id queue_name source_queue_name reason retry_attempt max_retries exception_type exception_message message_id stage headers content_type body body_size body_sha256",
    DeadLetterReplayed: "dead_letter_id replay_count exchange routing_key message_id replayed_by",
    DeadLetterReplayClaimed: "dead_letter_id replay_count claim_id claimed_by holds_ms withdrawn",
}


@pytest.mark.parametrize("event_type", STORED_ORDER, ids=lambda event_type: event_type.__name__)
def test_the_stored_order_only_grows(event_type: type[Struct]) -> None:
    known = STORED_ORDER[event_type].split()
    assert list(event_type.__struct_fields__[: len(known)]) == known
