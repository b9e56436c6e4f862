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
from relayna.consumer.messages.envelope_codec import OWN_NAMES, EnvelopeCodec
from relayna.consumer.messages.envelopes import (
    AnyEnvelope,
    BatchTaskEnvelope,
    MalformedMessage,
    TaskEnvelope,
    read_batch,
    read_body,
)
from relayna.ids import MessageId, SessionId, TaskId

__all__ = ["DeliveryIdentity", "Incoming", "batched_message_id", "derived_message_id", "read_delivery"]


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
    batch: BatchTaskEnvelope | None = None
    """What it is instead of a task: many of them."""

    @property
    def repeated(self) -> bool:
        """Whether this delivery may repeat one that was handled before."""
        return self.delivery.redelivered or self.headers.repeated


def read_delivery(
    delivery: Delivery,
    kind: type[AnyEnvelope],
    *,
    place: str,
    envelopes: EnvelopeCodec = OWN_NAMES,
) -> Incoming[AnyEnvelope]:
    """Read a delivery from `place`; never raises. Where tasks are read, batches of them are too."""
    message = delivery.message
    headers = read_headers(message.headers)
    envelope, batch, malformed = _read(envelopes.plain(message.body), kind)
    message_id = headers.message_id or _foreign_message_id(delivery, envelope)
    identity = None
    if message_id is not None:
        identity = DeliveryIdentity(message_id, place, headers.retry_attempt, headers.replay_count)
    if envelope:
        task_id = envelope.task_id
    else:
        task_id = headers.task_id or _task_of_nobody(delivery, batch.batch_id if batch else headers.batch_id)
    common = envelope or batch
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
        correlation_id=message.correlation_id or (common.correlation_id if common else None),
        batch=batch,
    )


def derived_message_id(identity: DeliveryIdentity, *label: str | int) -> MessageId:
    """The id of a message published while this delivery is handled.

    Derived and not random, so that a crash between publish and settle repeats the same ids.
    """
    name = msgspec.json.encode((identity, *label))
    return MessageId(hashlib.sha256(name).hexdigest()[:32])


def batched_message_id(batch_message_id: MessageId, ordinal: int) -> MessageId:
    """The id of the message that a batch's task gets, by its place in the batch, counted from 0.

    Its producer and whoever unpacks the batch derive the same.
    """
    name = msgspec.json.encode((batch_message_id, "batch", ordinal))
    return MessageId(hashlib.sha256(name).hexdigest()[:32])


def _read(
    body: bytes, kind: type[AnyEnvelope]
) -> tuple[AnyEnvelope | None, BatchTaskEnvelope | None, MalformedMessage | None]:
    """The body as what it is, or why it is nothing."""
    wanted: object = kind
    try:
        return read_body(body, kind), None, None
    except MalformedMessage as error:
        malformed = error
    if wanted is not TaskEnvelope:
        return None, None, malformed
    try:
        batch = read_batch(body)
    except MalformedMessage as error:
        return None, None, error
    return None, batch, None if batch else malformed


def _foreign_message_id(delivery: Delivery, envelope: AnyEnvelope | None) -> MessageId | None:
    """What a publisher that knows nothing of relayna's headers calls the message."""
    told = delivery.message.message_id or getattr(envelope, "message_id", None)
    return MessageId(told) if told else None


def _parent(envelope: AnyEnvelope) -> TaskId | None:
    if envelope.parent_task_id is not None:
        return envelope.parent_task_id
    told = envelope.meta.get("parent_task_id")
    return TaskId(told) if isinstance(told, str) and told else None


def _task_of_nobody(delivery: Delivery, batch_id: str | None) -> TaskId:
    """Under which name a batch is told of as a whole, and a message that cannot be read."""
    if batch_id:
        return TaskId(f"batch:{batch_id}")
    digest = hashlib.sha256(delivery.message.body).hexdigest()[:32]
    return TaskId(f"unreadable:{delivery.message.message_id or digest}")
