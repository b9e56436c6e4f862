"""What a handler wants published: held until its delivery's outcome allows it.

Owns the order in which a publish is told, made durable and sent. A handler that fails leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from relayna.consumer.attempt_observer import AttemptObserver
from relayna.consumer.broker import Broker, Message
from relayna.consumer.causal_headers import CausalHeaders, write_headers
from relayna.consumer.envelopes import StatusEnvelope, TaskEnvelope, WorkflowEnvelope, encode_body
from relayna.events import Body
from relayna.ids import EventId, MessageId, TaskId
from relayna.topologies import Route, as_short_string

__all__ = ["Outbox", "Publication", "build_message"]


class Publication(Struct, frozen=True, kw_only=True):
    """A message to be published, and the facts that its publishing makes true."""

    route: Route
    envelope: TaskEnvelope | StatusEnvelope | WorkflowEnvelope
    headers: CausalHeaders
    message_id: MessageId
    fact: Body
    """Told in this attempt's own stream; the message names it as its cause."""
    child: tuple[TaskId, Body] | None = None
    """Told in that child's stream, as the same fact."""
    user_headers: Mapping[str, Any] = field(default_factory=dict)  # Any: AMQP header values
    priority: int | None = None


def build_message(
    envelope: TaskEnvelope | StatusEnvelope | WorkflowEnvelope,
    headers: CausalHeaders,
    *,
    user_headers: Mapping[str, Any] | None = None,  # Any: AMQP header values
    priority: int | None = None,
) -> Message:
    """The message for an envelope. Raises `TypeError` on payloads that JSON cannot hold."""
    return Message(
        body=encode_body(envelope),
        headers=write_headers(headers, user_headers),
        message_id=as_short_string(headers.message_id) if headers.message_id else None,
        correlation_id=as_short_string(envelope.correlation_id) if envelope.correlation_id else None,
        priority=priority,
    )


class Outbox:
    """Publications of one attempt, in the order in which the handler asked for them."""

    def __init__(self, *, observer: AttemptObserver, broker: Broker, confirm_timeout: float) -> None:
        self._observer = observer
        self._broker = broker
        self._confirm_timeout = confirm_timeout
        self._held: list[Publication] = []

    def hold(self, publication: Publication) -> None:
        """Keep it until `publish_held`. Raises `TypeError` now for what could not be sent then."""
        encode_body(publication.envelope)
        self._held.append(publication)

    async def publish_now(self, publication: Publication) -> EventId | None:
        """Tell, make durable and publish at once. Raises `BrokerError`."""
        return await self._publish([publication])

    async def publish_held(self) -> None:
        """Tell, make durable and publish all that was held. Raises `BrokerError`; the rest stays unsent."""
        held, self._held = self._held, []
        if held:
            await self._publish(held)

    async def _publish(self, publications: list[Publication]) -> EventId | None:
        messages = [(publication, self._tell(publication)) for publication in publications]
        # A parent's stream knows its child before the child can start.
        if any(publication.child is not None for publication in publications):
            await self._observer.durable()
        cause: EventId | None = None
        for publication, cause in messages:
            message = build_message(
                publication.envelope,
                replace(publication.headers, cause=cause),
                user_headers=publication.user_headers,
                priority=publication.priority,
            )
            await self._broker.publish(
                message,
                exchange=publication.route.exchange,
                routing_key=publication.route.routing_key,
                confirm_timeout=self._confirm_timeout,
            )
        return cause

    def _tell(self, publication: Publication) -> EventId | None:
        own = self._observer.record(publication.fact)
        if publication.child is not None:
            child_id, fact = publication.child
            self._observer.record_elsewhere(fact, own=own, task_id=child_id)
        return own
