"""Executions followed live: one view for all who ask the same, patches from version to version, one watch of the log."""

from __future__ import annotations

from relayna.observability.live.hub import LiveHub, LiveLimits, TooManyFollowers
from relayna.observability.live.messages import LiveEnd, LiveGap, LiveMessage, LiveStatus
from relayna.observability.live.subscription import Subscription
from relayna.observability.live.view import Pace

__all__ = [
    "LiveEnd", "LiveGap", "LiveHub", "LiveLimits", "LiveMessage", "LiveStatus", "Pace", "Subscription", "TooManyFollowers",
]  # fmt: skip
