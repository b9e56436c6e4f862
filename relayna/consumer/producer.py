"""Publishes what comes from outside any attempt, and tells of it.

Owns the order: confirmed first, told then. How a message is put together is in `publications.py`.
"""

from __future__ import annotations

from relayna.clock import Clock
from relayna.consumer.publications import ProducerPublication
from relayna.consumer.sender import Sender
from relayna.errors import OutcomeUnknown
from relayna.events import Envelope, Event
from relayna.ids import MessageId
from relayna.instants import Instant
from relayna.streams.sink import ObservationSink

__all__ = ["Producer"]


class Producer:
    """One producer's voice; without a sink it publishes and says nothing."""

    def __init__(
        self,
        *,
        sender: Sender,
        sink: ObservationSink | None,
        clock: Clock,
        name: str,
        topology_kind: str | None,
    ) -> None:
        """`name` tells producers apart in the log."""
        self.tells = sink is not None
        """Whether its publishes are told; a message names no cause that nobody tells of."""
        self._sender = sender
        self._sink = sink
        self._clock = clock
        self._name = name
        self._topology_kind = topology_kind

    async def publish(self, publication: ProducerPublication) -> MessageId:
        """Publish it, tell of it, return its message's id. Raises `BrokerError`."""
        # Taken before: whoever gets the message may be quicker than its confirm.
        now = self._clock.now()
        try:
            await self._sender.send(publication.message, publication.route)
        except OutcomeUnknown as error:
            raise OutcomeUnknown(
                error.exchange,
                error.routing_key,
                error.timeout,
                problem=error.problem,
                message_id=publication.message_id,
            ) from error
        self._tell(publication, now)
        return publication.message_id

    def _tell(self, publication: ProducerPublication, at: Instant) -> None:
        if self._sink is None:
            return
        for fact in publication.facts:
            envelope = fact.envelope
            said = Envelope(
                event_id=fact.event_id,
                timestamp=at,
                task_id=envelope.task_id,
                parent_task_id=envelope.parent_task_id,
                session_id=envelope.session_id,
                correlation_id=envelope.correlation_id,
                producer=self._name,
            )
            self._sink.record(Event(envelope=said, body=fact.body), topology_kind=self._topology_kind)
