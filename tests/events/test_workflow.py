"""Facts about workflow messages: the order in which fields are stored. It only ever grows at its end; old streams depend on it."""

from __future__ import annotations

import pytest
from msgspec import Struct

from relayna.events.workflow import (
    WorkflowMessagePublished,
    WorkflowMessageReceived,
    WorkflowStageAcked,
    WorkflowStageFailed,
)

STORED_ORDER: dict[type[Struct], str] = {
    WorkflowMessagePublished: "message_id stage origin_stage routing_key meta",
    WorkflowMessageReceived: "message_id stage origin_stage queue_name consumer_name retry_attempt replay_count routing_key delivery_tag delivery_count redelivered",
    WorkflowStageAcked: "stage message_id queue_name consumer_name delivery_tag reason joined_message_ids",
    WorkflowStageFailed: "stage message_id exception_type exception_message queue_name consumer_name retry_attempt",
}


@pytest.mark.parametrize("event_type", STORED_ORDER, ids=lambda event_type: event_type.__name__)
def test_the_stored_order_only_grows(event_type: type[Struct]) -> None:
    known = STORED_ORDER[event_type].split()
    assert list(event_type.__struct_fields__[: len(known)]) == known
