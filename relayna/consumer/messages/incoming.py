"""A delivery, read: which task it is of, which message, which identity it has.

Owns the reading of deliveries; pure, and total: a body that cannot be read still has a task to be told of.
"""

from __future__ import annotations

import hashlib
from typing import Generic

import msgspec
from msgspec import Struct

from relayna.consumer.broker import Delivery
from relayna.consumer.messages.causal_headers import CausalHeaders, read_headers
from relayna.consumer.messages.envelopes import AnyEnvelope, MalformedMessage, read_body
from relayna.ids import MessageId, SessionId, TaskId

__all__ = ["DeliveryIdentity", "Incoming", "derived_message_id", "read_delivery"]


class DeliveryIdentity(Struct, frozen=True, array_like=True, gc=False):
    """What a delivery has in common with its repeats, and with nothing else."""

    message_id: MessageId
    place: str
    """The queue, or the stage of a workflow."""
    retry_attempt: int
    replay_count: int


class Incoming(Struct, Generic[AnyEnvelope], frozen=True, kw_only=True):
    """A delivery and all that could be read of it."""

    delivery: Delivery
    headers: CausalHeaders
    task_id: TaskId
    envelope: AnyEnvelope | None
    malformed: MalformedMessage | None
    message_id: MessageId | None
    identity: DeliveryIdentity | None
    """None for a message without an id: it is never taken for a repeat."""
    parent_task_id: TaskId | None
    session_id: SessionId | None
    correlation_id: str | None

    @property
    def repeated(self) -> bool:
        """Whether this delivery may repeat one that was handled before."""
        return self.delivery.redelivered or self.headers.repeated


def read_delivery(delivery: Delivery, kind: type[AnyEnvelope], *, place: str) -> Incoming[AnyEnvelope]:
    """Read a delivery from `place`; never raises."""
    message = delivery.message
    headers = read_headers(message.headers)
    envelope: AnyEnvelope | None = None
    malformed: MalformedMessage | None = None
    try:
        envelope = read_body(message.body, kind)
    except MalformedMessage as error:
        malformed = error
    message_id = headers.message_id or _foreign_message_id(delivery, envelope)
    identity = None
    if message_id is not None:
        identity = DeliveryIdentity(message_id, place, headers.retry_attempt, headers.replay_count)
    task_id = envelope.task_id if envelope else headers.task_id or _task_of_unreadable(delivery)
    return Incoming(
        delivery=delivery,
        headers=headers,
        task_id=task_id,
        envelope=envelope,
        malformed=malformed,
        message_id=message_id,
        identity=identity,
        parent_task_id=headers.parent_task_id or (_parent(envelope) if envelope else None),
        session_id=headers.session_id or (envelope.session_id if envelope else None) or SessionId(task_id),
        correlation_id=message.correlation_id or (envelope.correlation_id if envelope else None),
    )


def derived_message_id(identity: DeliveryIdentity, *label: str | int) -> MessageId:
    """The id of a message published while this delivery is handled.

    Derived and not random, so that a crash between publish and settle repeats the same ids.
    """
    name = msgspec.json.encode((identity, *label))
    return MessageId(hashlib.sha256(name).hexdigest()[:32])


def _foreign_message_id(delivery: Delivery, envelope: AnyEnvelope | None) -> MessageId | None:
    """What a publisher that knows nothing of relayna's headers calls the message."""
    told = delivery.message.message_id or getattr(envelope, "message_id", None)
    return MessageId(told) if told else None


def _parent(envelope: AnyEnvelope) -> TaskId | None:
    if envelope.parent_task_id is not None:
        return envelope.parent_task_id
    told = envelope.meta.get("parent_task_id")
    return TaskId(told) if isinstance(told, str) and told else None


def _task_of_unreadable(delivery: Delivery) -> TaskId:
    digest = hashlib.sha256(delivery.message.body).hexdigest()[:32]
    return TaskId(f"unreadable:{delivery.message.message_id or digest}")
