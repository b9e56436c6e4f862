"""Publishes what comes from outside any attempt, and tells of it.

Owns the order: confirmed first, told then. How a message is put together is in `publications.py`.
"""

from __future__ import annotations

from relayna.clock import Clock
from relayna.consumer.edge_admission import EdgeAdmission
from relayna.consumer.edge_words import other_runs
from relayna.consumer.publications import ProducerPublication
from relayna.consumer.sender import Sender
from relayna.errors import OutcomeUnknown
from relayna.events import Envelope, Event, RunEdgeRecorded
from relayna.ids import EventId, MessageId, copied_event_id
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
        edges: EdgeAdmission,
        clock: Clock,
        name: str,
        topology_kind: str | None,
    ) -> None:
        """`name` tells producers apart in the log."""
        self.tells = sink is not None
        """Whether its publishes are told; a message names no cause that nobody tells of."""
        self._sender = sender
        self._sink = sink
        self._edges = edges
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

    def tell_edge(self, edge: RunEdgeRecorded, event_id: EventId) -> None:
        """Tell an edge in the streams of both its ends, unless it may not be told."""
        if self._edges.admits(edge):
            now = self._clock.now()
            own = Envelope(event_id=event_id, timestamp=now, task_id=edge.target_run, producer=self._name)
            self._say(Event(envelope=own, body=edge))
            self._tell_others(own, edge)

    def _tell(self, publication: ProducerPublication, at: Instant) -> None:
        for fact in publication.facts:
            if isinstance(fact.body, RunEdgeRecorded) and not self._edges.admits(fact.body):
                continue
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
            self._say(Event(envelope=said, body=fact.body))
            if isinstance(fact.body, RunEdgeRecorded):
                self._tell_others(said, fact.body)

    def _tell_others(self, own: Envelope, edge: RunEdgeRecorded) -> None:
        for run in other_runs(edge, own.task_id):
            copy = Envelope(
                event_id=copied_event_id(own.event_id, run),
                timestamp=own.timestamp,
                task_id=run,
                producer=self._name,
            )
            self._say(Event(envelope=copy, body=edge))

    def _say(self, event: Event) -> None:
        if self._sink is not None:
            self._sink.record(event, topology_kind=self._topology_kind)
