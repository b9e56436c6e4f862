"""The recorder of dead letters: what the broker gave up by itself is kept in the task's stream too.

Owns which event a dead letter is. The loop is `fact_consumer.py`'s. A worker records its own dead letters in
`attempts/ending.py`; that both are one is decided in `relayna/projections/dead_letters.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from relayna.consumer.broker import Delivery
from relayna.consumer.client import RelaynaClient
from relayna.consumer.fact_consumer import FactConsumer
from relayna.consumer.messages.envelopes import TaskEnvelope, WorkflowEnvelope
from relayna.consumer.messages.incoming import (
    DeliveryIdentity,
    Incoming,
    derived_message_id,
    read_delivery,
)
from relayna.events import DeadLetterRecorded, Envelope, Event
from relayna.ids import MessageId, message_event_id
from relayna.instants import Instant, parse_instant
from relayna.topologies import dead_letter_queue_name, dead_letter_record_queue_name, recorded_queues

__all__ = ["DeadLetterRecorder"]

_DEATH_SECOND: Final = 999_999
"""The broker tells whole seconds: by the end of that second it had happened."""


class DeadLetterRecorder(FactConsumer):
    """Records the dead letters of every queue of work: over the delivery limit, expired, rejected by anybody.

    Takes copies, so the letters themselves stay in `<queue>.dead_letters`. Takes `observation_sink` (the
    client's unless given), `prefetch` and `drain_seconds`; several recorders may run at once.
    """

    counted_as: ClassVar[str] = "dead_letters"

    def __init__(
        self,
        *,
        rabbitmq: RelaynaClient,
        **options: Any,  # Any: the options of FactConsumer, checked there
    ) -> None:
        topology = rabbitmq.topology
        self._sources = {dead_letter_record_queue_name(name): name for name in recorded_queues(topology)}
        self._stages = {stage.queue: stage.name for stage in getattr(topology, "stages", ())}
        super().__init__(rabbitmq=rabbitmq, queues=tuple(self._sources), **options)

    def read(self, delivery: Delivery) -> Event:
        """The dead letter as an event; never raises, for a body that cannot be read is still a dead letter."""
        source = self._sources[delivery.queue_name]
        stage = self._stages.get(source)
        incoming = self._incoming(delivery, source, stage)
        death = _last_death(delivery.message.headers, source)
        letter_id = _letter_id(incoming, place=stage or source)
        cause = incoming.headers.cause
        # A worker that gave its message up told its parent then, and this may be hours later.
        told_by_worker = not death and cause is not None
        envelope = Envelope(
            event_id=message_event_id(letter_id, "recorded"),
            timestamp=self._happened_at(death),
            task_id=incoming.task_id,
            cause=cause,
            parent_task_id=None if told_by_worker else incoming.parent_task_id,
            session_id=incoming.session_id,
            correlation_id=incoming.correlation_id,
            producer=self._client.producer,
        )
        return Event(envelope=envelope, body=_recorded(incoming, letter_id, source, stage, death))

    def _incoming(
        self, delivery: Delivery, source: str, stage: str | None
    ) -> Incoming[TaskEnvelope] | Incoming[WorkflowEnvelope]:
        envelopes = self._client.envelopes
        if stage is None:
            return read_delivery(delivery, TaskEnvelope, place=source, envelopes=envelopes)
        return read_delivery(delivery, WorkflowEnvelope, place=stage, envelopes=envelopes)

    def _happened_at(self, death: Mapping[str, Any]) -> Instant:  # Any: AMQP header values
        now = self._client.clock.now()
        told = parse_instant(death.get("time"))
        return now if told is None else min(now, Instant(told + _DEATH_SECOND))


def _letter_id(incoming: Incoming[TaskEnvelope] | Incoming[WorkflowEnvelope], *, place: str) -> MessageId:
    """As the worker calls it that gives this delivery up by itself."""
    identity = incoming.identity
    if identity is None:
        headers = incoming.headers
        message_id = MessageId(hashlib.sha256(incoming.delivery.message.body).hexdigest())
        identity = DeliveryIdentity(message_id, place, headers.retry_attempt, headers.replay_count)
    return derived_message_id(identity, "dead_letter")


def _last_death(headers: Mapping[str, Any], source: str) -> Mapping[str, Any]:  # Any: AMQP header values
    """The newest entry of `x-death` about that queue, else about any; none when a worker gave it up."""
    told = headers.get("x-death")
    deaths = [death for death in told if isinstance(death, Mapping)] if isinstance(told, list) else []
    return next((death for death in deaths if death.get("queue") == source), deaths[0] if deaths else {})


def _recorded(
    incoming: Incoming[TaskEnvelope] | Incoming[WorkflowEnvelope],
    letter_id: MessageId,
    source: str,
    stage: str | None,
    death: Mapping[str, Any],  # Any: AMQP header values
) -> DeadLetterRecorded:
    message = incoming.delivery.message
    reason = death.get("reason") or message.headers.get("x-last-death-reason")
    return DeadLetterRecorded(
        dead_letter_id=letter_id,
        queue_name=dead_letter_queue_name(source),
        source_queue_name=source,
        reason=reason if isinstance(reason, str) else None,
        retry_attempt=incoming.headers.retry_attempt,
        message_id=incoming.message_id,
        stage=stage,
        headers=dict(message.headers),
        content_type=message.content_type,
        body=message.body,
        body_size=len(message.body),
        body_sha256=hashlib.sha256(message.body).hexdigest(),
    )
