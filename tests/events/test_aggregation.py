"""Facts about aggregation deliveries: the order in which fields are stored. It only ever grows at its end; old streams depend on it."""

from __future__ import annotations

import pytest
from msgspec import Struct

from relayna.events.aggregation import (
    AggregationDeadLetterPublished,
    AggregationHandlerFailed,
    AggregationMessageAcked,
    AggregationMessageReceived,
    AggregationRetryScheduled,
)

STORED_ORDER: dict[type[Struct], str] = {
    AggregationMessageReceived: "queue_name consumer_name message_id shard retry_attempt replay_count routing_key delivery_tag delivery_count redelivered",
    AggregationHandlerFailed: "exception_type exception_message queue_name consumer_name retry_attempt",
    AggregationMessageAcked: "queue_name consumer_name delivery_tag reason",
    AggregationRetryScheduled: "queue_name source_queue_name consumer_name retry_attempt max_retries delay_ms reason message_id",
    AggregationDeadLetterPublished: "queue_name source_queue_name consumer_name retry_attempt max_retries reason exception_type message_id",
}


@pytest.mark.parametrize("event_type", STORED_ORDER, ids=lambda event_type: event_type.__name__)
def test_the_stored_order_only_grows(event_type: type[Struct]) -> None:
    known = STORED_ORDER[event_type].split()
    assert list(event_type.__struct_fields__[: len(known)]) == known
