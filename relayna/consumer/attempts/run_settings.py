"""What all deliveries of one consumer have in common. Owns the shape of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct, field

from relayna.consumer.attempts.at_hand import AtHand
from relayna.consumer.attempts.context import Context
from relayna.consumer.attempts.facts import AttemptFacts
from relayna.consumer.attempts.shared_promise import SharedPromise
from relayna.consumer.client import RelaynaClient
from relayna.consumer.retry_policy import RetryPolicy
from relayna.streams.sink import ObservationSink

__all__ = ["HandlerRun", "RunSettings"]

HandlerRun = Callable[[Any, Any], Awaitable[object]]
"""The user's handler as a coroutine function of (envelope, context). Any: whichever kind of consumer."""


class RunSettings(Struct, frozen=True, kw_only=True):
    """What all deliveries of one consumer have in common."""

    client: RelaynaClient
    sink: ObservationSink | None
    promise: SharedPromise | None
    handler: HandlerRun
    facts: AttemptFacts
    context: Callable[..., Context]
    policy: RetryPolicy
    consumer_name: str
    lifecycle: frozenset[str]
    """Statuses that the consumer publishes by itself."""
    handler_timeout: float | None
    at_hand: AtHand = field(default_factory=AtHand)
