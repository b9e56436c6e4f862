"""What a handler wants published: held until its delivery's outcome allows it.

Owns the order in which a publish is told, made durable and sent (docs/decisions/0004). A handler that fails
leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from relayna.consumer.attempts.attempt_observer import AttemptObserver
from relayna.consumer.client import RelaynaClient
from relayna.consumer.messages.causal_headers import CausalHeaders
from relayna.consumer.messages.envelopes import StatusEnvelope, TaskEnvelope, WorkflowEnvelope
from relayna.consumer.messages.outgoing import build_message
from relayna.events import Body, RunEdgeRecorded, StatusPublished, TaskLifecycleStatusPublished
from relayna.ids import EventId, MessageId, TaskId
from relayna.topologies import Route

__all__ = ["Outbox", "Publication"]


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
    birth: RunEdgeRecorded | None = None
    """The child's, while births are told. A `spawn` is told by the fact itself."""
    user_headers: Mapping[str, Any] = field(default_factory=dict)  # Any: AMQP header values
    priority: int | None = None


_Encoded: TypeAlias = tuple[Publication, bytes]
"""With its body as it was when the handler asked: what the handler does to a payload later changes nothing."""


class Outbox:
    """Publications of one attempt, in the order in which the handler asked for them."""

    def __init__(self, *, observer: AttemptObserver, client: RelaynaClient) -> None:
        self.statuses_sent: set[str] = set()
        """Statuses that the broker has confirmed."""
        self._observer = observer
        self._sender = client.sender
        self._envelopes = client.envelopes
        self._edges = client.edges
        self._held: list[_Encoded] = []

    def hold(self, publication: Publication) -> None:
        """Keep it until `publish_held`. Raises `TypeError` for payloads that JSON cannot hold."""
        self._held.append((publication, self._envelopes.encode(publication.envelope)))

    async def publish_now(self, publication: Publication) -> None:
        """Tell, make durable and publish at once. Raises `BrokerError`, and `TypeError` as `hold` does."""
        await self._publish([(publication, self._envelopes.encode(publication.envelope))])

    async def publish_held(self) -> None:
        """Tell, make durable and publish all that was held. Raises `BrokerError`; the rest stays unsent."""
        held, self._held = self._held, []
        await self._publish(held)

    async def _publish(self, encoded: Sequence[_Encoded]) -> None:
        told = [(publication, body, self._tell(publication)) for publication, body in encoded]
        # A parent's stream knows its child before the child can start.
        if any(publication.child is not None for publication, _ in encoded):
            await self._observer.durable()
        for publication, body, cause in told:
            message = build_message(
                body,
                replace(publication.headers, cause=cause),
                correlation_id=publication.envelope.correlation_id,
                user_headers=publication.user_headers,
                priority=publication.priority,
            )
            await self._sender.send(message, publication.route)
            if isinstance(publication.fact, StatusPublished | TaskLifecycleStatusPublished):
                self.statuses_sent.add(publication.fact.status)

    def _tell(self, publication: Publication) -> EventId | None:
        own = self._observer.record(publication.fact)
        if publication.child is not None:
            child_id, fact = publication.child
            session_id = publication.headers.session_id
            self._observer.record_elsewhere(fact, own=own, task_id=child_id, session_id=session_id)
        birth = publication.birth
        if birth is not None and self._edges.admits(birth) and birth.kind != "spawn":
            self._observer.record_lineage(birth)
        return own
