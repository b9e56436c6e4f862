"""The status hub: what anybody publishes to the shared status exchange is kept in the task's stream.

Owns which event a status message is. The loop is `fact_consumer.py`'s; whether two records are one status is
decided in `relayna/projections/statuses.py`.
"""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

from relayna.consumer.broker import Delivery
from relayna.consumer.client import RelaynaClient
from relayna.consumer.fact_consumer import FactConsumer
from relayna.consumer.messages.causal_headers import read_headers
from relayna.consumer.messages.statuses import read_status
from relayna.events import Envelope, Event, StatusPublished
from relayna.ids import MessageId, TaskId, message_event_id

__all__ = ["StatusHub"]


class StatusHub(FactConsumer):
    """Records every status that reaches the topology's status queue, whoever published it.

    A status is acked when it is durable. One that no task can be found in is a dead letter. Takes
    `observation_sink` (the client's unless given), `prefetch` and `drain_seconds`; several hubs may run at once.
    """

    counted_as: ClassVar[str] = "statuses"

    def __init__(
        self,
        *,
        rabbitmq: RelaynaClient,
        **options: Any,  # Any: the options of FactConsumer, checked there
    ) -> None:
        super().__init__(rabbitmq=rabbitmq, queues=(rabbitmq.topology.status_queue,), **options)

    def read(self, delivery: Delivery) -> Event:
        """The status as an event. Raises `MalformedMessage`."""
        message = delivery.message
        headers = read_headers(message.headers)
        status, said_at = read_status(self._client.envelopes.plain(message.body))
        message_id = headers.message_id or _foreign_message_id(message.message_id, status.task_id)
        event_id = message_event_id(message_id or _digest(message.body), "status")
        envelope = Envelope(
            event_id=event_id,
            timestamp=self._client.clock.now() if said_at is None else said_at,
            task_id=status.task_id,
            # Whoever publishes from outside any attempt records the very same event.
            cause=None if headers.cause == event_id else headers.cause,
            parent_task_id=headers.parent_task_id or status.parent_task_id,
            session_id=headers.session_id or status.session_id,
            correlation_id=status.correlation_id or message.correlation_id,
            producer=self._client.producer,
        )
        body = StatusPublished(
            status=status.status,
            message=status.message,
            meta=status.meta or None,
            message_id=message_id,
            stage=status.stage,
        )
        return Event(envelope=envelope, body=body)


def _foreign_message_id(message_id: str | None, task_id: TaskId) -> MessageId | None:
    """What another program calls the message; some call all of a task's messages by the task's id."""
    return MessageId(message_id) if message_id and message_id != task_id else None


def _digest(body: bytes) -> MessageId:
    return MessageId(hashlib.sha256(body).hexdigest())
