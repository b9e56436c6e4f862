"""The message of a replay: what was recorded of a dead letter, with causal headers of its own.

Owns how a plan becomes a message. Publishes nothing and judges nothing.
"""

from __future__ import annotations

from msgspec.structs import replace

from relayna.consumer.broker import Message
from relayna.consumer.messages.causal_headers import read_headers
from relayna.consumer.messages.outgoing import build_message
from relayna.projections.replay_plan import ReplayPlan

__all__ = ["replayed_message"]


def replayed_message(plan: ReplayPlan) -> Message:
    """The copy that the plan speaks of: the same bytes for the same plan, whoever makes it and however often.

    It says that it may be repeated, for two people may replay the same letter at the same moment, and the one
    who does may die before saying so: its consumer then asks the log first.
    """
    said = read_headers(plan.headers)
    headers = replace(
        said,
        cause=plan.event_id,
        task_id=plan.task_id,
        session_id=said.session_id or plan.session_id,
        parent_task_id=said.parent_task_id or plan.parent_task_id,
        message_id=plan.message_id,
        retry_attempt=0,
        replay_count=plan.replay_count,
        repeated=True,
    )
    message = build_message(
        plan.body or b"", headers, correlation_id=plan.correlation_id, user_headers=plan.headers
    )
    return replace(message, content_type=plan.content_type)
