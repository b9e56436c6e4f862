"""The message of a replay: its own causal headers, everything else as it was recorded."""

from __future__ import annotations

from projections.replay_records import BODY, Records

from relayna.consumer.messages.replayed import replayed_message
from relayna.ids import TaskId
from relayna.projections.replay_plan import plan_replay


def test_it_is_a_copy_with_a_cause_and_an_identity_of_its_own() -> None:
    headers = {
        "tenant": "t",
        "traceparent": "00-a",
        "x-death": [{"queue": "work"}],
        "x-relayna-cause": "old.4",
        "x-relayna-task-id": "T",
        "x-relayna-session-id": "s",
        "x-relayna-message-id": "m",
        "x-relayna-retry-attempt": 3,
        "x-relayna-stage": "pay",
        "x-relayna-origin-stage": "order",
        "x-relayna-replay-count": 1,
    }
    records = Records().letter(headers=headers, content_type="application/x-own")
    plan = plan_replay(records.events, task_id=TaskId("T"), dead_letter_id="L", own_replay_count=1)
    message = replayed_message(plan)
    assert (message.body, message.message_id, message.content_type) == (BODY, "m", "application/x-own")
    assert message.headers == {
        "tenant": "t",
        "traceparent": "00-a",
        "x-relayna-cause": "L.replayed.2",
        "x-relayna-task-id": "T",
        "x-relayna-session-id": "s",
        "x-relayna-message-id": "m",
        "x-relayna-stage": "pay",
        "x-relayna-origin-stage": "order",
        "x-relayna-replay-count": 2,
        "x-relayna-repeated": True,
    }
    assert replayed_message(plan) == message
