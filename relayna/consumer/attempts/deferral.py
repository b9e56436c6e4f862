"""What one delivery learns from the log before its handler starts, and how it waits for a copy of itself elsewhere.

Owns the reading, and the waiting for attempts of other processes; those of this one are `at_hand.py`'s. Says
nothing of its own: `delivery_run.py` does.

Two copies of a message come about when what published it died before its own delivery was settled, or when a publish
of unknown outcome was repeated. All but the first say so (`x-relayna-repeated`), and only they, and what the broker
hands out again, ask the log: everything else starts without a read.
"""

from __future__ import annotations

import logging
from typing import Any, Final

import anyio

from relayna.consumer.attempts.at_hand import Handling
from relayna.consumer.attempts.repeats import OwnDelivery, PriorAttempts, prior_attempts
from relayna.consumer.client import RelaynaClient
from relayna.consumer.messages.incoming import DeliveryIdentity, Incoming
from relayna.errors import RecorderClosed, StoreError
from relayna.streams.sink import ObservationSink

__all__ = ["Deferral"]

_log: Final = logging.getLogger("relayna.consumer")
_READ_SECONDS: Final = 2.0
_DEFER_SECONDS: Final = 60
"""A copy does not wait for ever: the other's worker may have died."""
_STEP_SECONDS: Final = 1
_GRACE_SECONDS: Final = 0.25
"""The first copy asks nobody, and was taken out of the queue before: so long its beginning may take to be stored.

Waited before anything is told, so that it counts as waiting in the queue and not as work.
"""


class Deferral:
    """One delivery's looks into the log."""

    def __init__(
        self,
        client: RelaynaClient,
        sink: ObservationSink | None,
        incoming: Incoming[Any],  # Any: whichever envelope
        *,
        handler_timeout: float | None,
    ) -> None:
        """Waits for as long as a handler may run elsewhere, and at least a minute."""
        self._client = client
        self._sink = sink
        self._incoming = incoming
        self._waiting: anyio.CancelScope | None = None
        self._patience = max(_DEFER_SECONDS, handler_timeout or 0) if incoming.repeated else 0

    async def prior(self, handling: Handling) -> PriorAttempts:
        """What the log knows of this delivery, once no copy of it is being handled elsewhere.

        Nothing when there can be no copy of it. Returns with an attempt still open when it was open for too long,
        when the channel is lost, or when the worker stops.
        """
        await handling.wait_for_earlier(self._client.broker.is_open)
        if not (self._incoming.repeated or handling.earlier):
            return PriorAttempts()
        if self._incoming.headers.repeated and not self._incoming.delivery.redelivered:
            await self._client.clock.sleep(_GRACE_SECONDS)
        prior = await self._look(handling)
        while prior.ahead and prior.closed is None and self._waits():
            self._patience -= _STEP_SECONDS
            with anyio.CancelScope() as self._waiting:
                await self._client.clock.sleep(_STEP_SECONDS)
            prior = await self._look(handling)
        return prior

    def give_up(self) -> None:
        """Wait no longer: the worker stops."""
        self._patience = 0
        if self._waiting is not None:
            self._waiting.cancel()

    async def comes_second(self, handling: Handling) -> bool:
        """Whether another copy's attempt goes before this one's own, which is stored by now.

        Both may have looked before either had begun.
        """
        if not (self._incoming.headers.repeated and self._waits()):
            return False
        prior = await self._look(handling)
        return prior.closed is not None or prior.ahead > 0

    def _waits(self) -> bool:
        return self._patience > 0 and self._client.broker.is_open(self._incoming.delivery)

    async def _look(self, handling: Handling) -> PriorAttempts:
        identity, sink = self._incoming.identity, self._sink
        if identity is None or sink is None:
            return PriorAttempts()
        try:
            return await self._read(handling, identity, sink)
        except (StoreError, RecorderClosed, TimeoutError) as error:
            # Handling a message twice is better than not handling it while the store is away.
            self._client.counters.increment("relayna_repeat_checks_failed_total")
            _log.warning("Could not look for earlier attempts at task %s: %s", self._incoming.task_id, error)
            return PriorAttempts()

    async def _read(
        self, handling: Handling, identity: DeliveryIdentity, sink: ObservationSink
    ) -> PriorAttempts:
        with anyio.fail_after(_READ_SECONDS):
            await sink.durable()  # an attempt of this very process may not be stored yet
            events = await sink.read(self._incoming.task_id)
        at_hand = {one.attempt_id for one in handling.earlier}
        headers, delivery = self._incoming.headers, self._incoming.delivery
        own = OwnDelivery(
            attempt_id=handling.attempt_id,
            cause=headers.cause,
            repeated=headers.repeated,
            redelivered=delivery.redelivered,
        )
        return prior_attempts(events, identity, own, at_hand=at_hand)
