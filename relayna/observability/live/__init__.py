"""Executions and sessions followed live: one view for all who ask the same, and one watch of the log.

Of an execution patches are told from version to version, of a session each new edge.
"""

from __future__ import annotations

from relayna.observability.live.followed import Pace
from relayna.observability.live.hub import LiveHub
from relayna.observability.live.limits import LiveLimits, TooManyFollowers
from relayna.observability.live.messages import LiveEnd, LiveGap, LiveMessage, LiveStatus
from relayna.observability.live.session_messages import (
    EdgeWithdrawn,
    SessionEnd,
    SessionGap,
    SessionMessage,
    SessionStatus,
)
from relayna.observability.live.session_subscription import SessionSubscription
from relayna.observability.live.subscription import Subscription

__all__ = [
    "EdgeWithdrawn", "LiveEnd", "LiveGap", "LiveHub", "LiveLimits", "LiveMessage", "LiveStatus", "Pace", "SessionEnd",
    "SessionGap", "SessionMessage", "SessionStatus", "SessionSubscription", "Subscription", "TooManyFollowers",
]  # fmt: skip
