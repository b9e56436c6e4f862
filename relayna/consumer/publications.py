"""A message of a producer on its way out, and many of them at once.

Owns how envelopes, headers and the facts of their publishing go together. Connects to nothing and decides no
ids: `client.py` does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import anyio
from msgspec import Struct
from msgspec.structs import replace

from relayna.consumer.batch_request import BatchRequest
from relayna.consumer.broker import Message
from relayna.consumer.messages.causal_headers import CausalHeaders
from relayna.consumer.messages.envelope_codec import EnvelopeCodec
from relayna.consumer.messages.envelopes import StatusEnvelope, TaskEnvelope, WorkflowEnvelope
from relayna.consumer.messages.incoming import batched_message_id
from relayna.consumer.messages.outgoing import build_message
from relayna.consumer.task_request import TaskRequest
from relayna.errors import BrokerError
from relayna.events import Body, StatusPublished, TaskPublished, WorkflowMessagePublished
from relayna.ids import EventId, MessageId, message_event_id
from relayna.settings import lineage_emits
from relayna.topologies import Route

__all__ = ["ProducerPublication", "Publications", "ToldFact", "publish_all"]

_AT_ONCE: Final = 64
"""As many as a RabbitMQBroker publishes at a time: more would wait, and their confirm timeouts run."""


class ToldFact(Struct, frozen=True, kw_only=True):
    """What is told of an envelope, once the message that holds it is confirmed."""

    envelope: TaskEnvelope | StatusEnvelope | WorkflowEnvelope
    event_id: EventId
    body: Body


class ProducerPublication(Struct, frozen=True, kw_only=True):
    """What is sent, where to, and what is told of it once it is confirmed."""

    route: Route
    message_id: MessageId
    message: Message
    facts: tuple[ToldFact, ...]


class Publications:
    """Puts a producer's messages together; one that is not `told` of names no cause."""

    def __init__(self, envelopes: EnvelopeCodec, *, told: bool) -> None:
        self._envelopes = envelopes
        self._told = told

    def of(
        self,
        envelope: TaskEnvelope | StatusEnvelope | WorkflowEnvelope,
        route: Route,
        message_id: MessageId,
        fact: Body,
        *,
        kind: str,
        repeated: bool = False,
        priority: int | None = None,
        headers: Mapping[str, Any] | None = None,  # Any: AMQP header values
    ) -> ProducerPublication:
        """One envelope and its fact. Raises `InvalidPayload` for what JSON cannot hold."""
        told = ToldFact(envelope=envelope, event_id=message_event_id(message_id, kind), body=fact)
        causal = CausalHeaders(
            cause=told.event_id if self._told else None,
            task_id=envelope.task_id,
            session_id=envelope.session_id,
            parent_task_id=envelope.parent_task_id,
            message_id=message_id,
            stage=getattr(envelope, "stage", None),
            repeated=repeated,
        )
        message = build_message(
            self._envelopes.encode(envelope),
            causal,
            correlation_id=envelope.correlation_id,
            user_headers=headers,
            priority=priority,
        )
        return ProducerPublication(route=route, message_id=message_id, message=message, facts=(told,))

    def task(self, request: TaskRequest, route: Route, message_id: MessageId) -> ProducerPublication:
        """A task by itself. Raises `InvalidPayload` for what JSON cannot hold."""
        envelope = request.envelope()
        publication = self.of(
            envelope,
            route,
            message_id,
            _task_published(message_id, request.task_type, route),
            kind="published",
            repeated=request.message_id is not None,
            priority=request.priority,
            headers=request.headers,
        )
        births = _births(request, envelope, message_id)
        return replace(publication, facts=(*publication.facts, *births)) if births else publication

    def status(self, envelope: StatusEnvelope, route: Route, message_id: MessageId) -> ProducerPublication:
        """A status that somebody outside the task's workers tells."""
        fact = StatusPublished(
            status=envelope.status,
            message=envelope.message,
            meta=dict(envelope.meta) or None,
            message_id=message_id,
        )
        return self.of(envelope, route, message_id, fact, kind="status")

    def workflow(
        self,
        envelope: WorkflowEnvelope,
        route: Route,
        message_id: MessageId,
        *,
        headers: Mapping[str, Any] | None,  # Any: AMQP header values
    ) -> ProducerPublication:
        """A workflow's message. Raises `InvalidPayload` for what JSON cannot hold."""
        fact = WorkflowMessagePublished(
            message_id=message_id, stage=envelope.stage, routing_key=route.routing_key
        )
        return self.of(envelope, route, message_id, fact, kind="published", headers=headers)

    def batch(
        self, request: BatchRequest, route: Route, message_id: MessageId, *, repeated: bool
    ) -> ProducerPublication:
        """Many tasks in one message, each told of by itself, under the id of the message that it will get.

        Raises `InvalidPayload` for what JSON cannot hold.
        """
        envelope = request.envelope()
        own_ids = [batched_message_id(message_id, ordinal) for ordinal in range(len(envelope.tasks))]
        batched = list(zip(request.tasks, envelope.tasks, own_ids, strict=True))
        facts = [_batched_fact(task, route, own, request.batch_id) for _, task, own in batched]
        births = [birth for one in batched for birth in _births(*one)]
        causal = CausalHeaders(
            cause=facts[0].event_id if self._told else None,
            message_id=message_id,
            repeated=repeated,
            batch_id=request.batch_id,
        )
        message = build_message(
            self._envelopes.encode(envelope),
            causal,
            correlation_id=envelope.correlation_id,
            user_headers=request.headers,
            priority=request.priority,
        )
        return ProducerPublication(
            route=route, message_id=message_id, message=message, facts=(*facts, *births)
        )


def _batched_fact(task: TaskEnvelope, route: Route, message_id: MessageId, batch_id: str) -> ToldFact:
    fact = _task_published(message_id, task.task_type, route, batch_id)
    return ToldFact(envelope=task, event_id=message_event_id(message_id, "published"), body=fact)


def _births(request: TaskRequest, envelope: TaskEnvelope, message_id: MessageId) -> tuple[ToldFact, ...]:
    """What is told of how the run was started, beside its first message."""
    if request.started_by is None or not lineage_emits():
        return ()
    birth = request.started_by.birth(envelope.task_id)
    if birth is None:
        return ()
    return (ToldFact(envelope=envelope, event_id=message_event_id(message_id, "started"), body=birth),)


def _task_published(
    message_id: MessageId, task_type: str | None, route: Route, batch_id: str | None = None
) -> TaskPublished:
    return TaskPublished(
        message_id=message_id,
        task_type=task_type,
        exchange=route.exchange,
        routing_key=route.routing_key,
        batch_id=batch_id,
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
