"""Facts about tasks: the order in which fields are stored. It only ever grows at its end; old streams depend on it."""

from __future__ import annotations

import pytest
from msgspec import Struct

from relayna.events.task import (
    ConsumerDeadLetterPublished,
    ConsumerRetryScheduled,
    DeliveryRepeated,
    TaskHandlerFailed,
    TaskLifecycleStatusPublished,
    TaskMessageAcked,
    TaskMessageReceived,
    TaskMessageRejected,
    TaskPublished,
    TaskResourceSampled,
)

STORED_ORDER: dict[type[Struct], str] = {
    TaskPublished: "message_id task_type exchange routing_key meta",
    TaskMessageReceived: "queue_name consumer_name message_id task_type retry_attempt replay_count routing_key delivery_tag delivery_count redelivered",
    TaskHandlerFailed: "exception_type exception_message queue_name consumer_name retry_attempt",
    TaskMessageAcked: "queue_name consumer_name delivery_tag reason",
    TaskMessageRejected: "queue_name consumer_name delivery_tag requeue reason",
    TaskLifecycleStatusPublished: "status message meta message_id stage",
    TaskResourceSampled: "sample_kind cpu_process_seconds memory_rss_bytes",
    ConsumerRetryScheduled: "queue_name source_queue_name consumer_name retry_attempt max_retries delay_ms reason message_id stage",
    ConsumerDeadLetterPublished: "queue_name source_queue_name consumer_name retry_attempt max_retries reason exception_type message_id stage",
    DeliveryRepeated: "queue_name consumer_name message_id retry_attempt delivery_tag delivery_count stage",
}


@pytest.mark.parametrize("event_type", STORED_ORDER, ids=lambda event_type: event_type.__name__)
def test_the_stored_order_only_grows(event_type: type[Struct]) -> None:
    known = STORED_ORDER[event_type].split()
    assert list(event_type.__struct_fields__[: len(known)]) == known
