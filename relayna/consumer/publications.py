"""A message of a producer on its way out, and many of them at once.

Owns how an envelope, its headers and the fact of its publishing go together. Connects to nothing and decides
no ids: `client.py` does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import anyio
from msgspec import Struct

from relayna.consumer.broker import Message
from relayna.consumer.messages.causal_headers import CausalHeaders
from relayna.consumer.messages.envelopes import StatusEnvelope, TaskEnvelope, WorkflowEnvelope, encode_body
from relayna.consumer.messages.outgoing import build_message
from relayna.consumer.task_request import TaskRequest
from relayna.errors import BrokerError
from relayna.events import Body, TaskPublished
from relayna.ids import EventId, MessageId, message_event_id
from relayna.topologies import Route

__all__ = ["ProducerPublication", "publication_of", "publish_all", "task_publication"]

_AT_ONCE: Final = 64
"""As many as a RabbitMQBroker publishes at a time: more would wait, and their confirm timeouts run."""


class ProducerPublication(Struct, frozen=True, kw_only=True):
    """What is sent, where to, and what is told of it once it is confirmed."""

    envelope: TaskEnvelope | StatusEnvelope | WorkflowEnvelope
    route: Route
    message_id: MessageId
    event_id: EventId
    fact: Body
    message: Message


def publication_of(
    envelope: TaskEnvelope | StatusEnvelope | WorkflowEnvelope,
    route: Route,
    message_id: MessageId,
    fact: Body,
    *,
    kind: str,
    told: bool,
    repeated: bool = False,
    priority: int | None = None,
    headers: Mapping[str, Any] | None = None,  # Any: AMQP header values
) -> ProducerPublication:
    """Put it together. Raises `TypeError` for payloads that JSON cannot hold."""
    event_id = message_event_id(message_id, kind)
    causal = CausalHeaders(
        cause=event_id if told else None,
        task_id=envelope.task_id,
        session_id=envelope.session_id,
        parent_task_id=envelope.parent_task_id,
        message_id=message_id,
        stage=getattr(envelope, "stage", None),
        repeated=repeated,
    )
    message = build_message(
        encode_body(envelope),
        causal,
        correlation_id=envelope.correlation_id,
        user_headers=headers,
        priority=priority,
    )
    return ProducerPublication(
        envelope=envelope, route=route, message_id=message_id, event_id=event_id, fact=fact, message=message
    )


def task_publication(
    request: TaskRequest, route: Route, message_id: MessageId, *, told: bool
) -> ProducerPublication:
    """Put a task together. Raises `TypeError` for payloads that JSON cannot hold."""
    fact = TaskPublished(
        message_id=message_id,
        task_type=request.task_type,
        exchange=route.exchange,
        routing_key=route.routing_key,
    )
    return publication_of(
        request.envelope(),
        route,
        message_id,
        fact,
        kind="published",
        told=told,
        repeated=request.message_id is not None,
        priority=request.priority,
        headers=request.headers,
    )


async def publish_all(
    publications: Sequence[ProducerPublication], publish: Callable[[ProducerPublication], Awaitable[object]]
) -> dict[int, BrokerError]:
    """Publish each, several at a time and in no order; the failures by position."""
    failures: dict[int, BrokerError] = {}
    waiting = iter(enumerate(publications))

    async def work(waiting: Iterator[tuple[int, ProducerPublication]]) -> None:
        for position, publication in waiting:
            try:
                await publish(publication)
            except BrokerError as error:
                failures[position] = error

    async with anyio.create_task_group() as workers:
        for _ in range(min(_AT_ONCE, len(publications))):
            workers.start_soon(work, waiting)
    return failures
