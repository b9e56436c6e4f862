"""What each outcome asks to be published, and which event then closes the attempt.

Owns the messages that end an attempt: retries, manual retries, dead letters, the last statuses. Decides nothing,
and neither says the closing event nor settles: `performance.py` does, in that order.
"""

from __future__ import annotations

import hashlib
import logging
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from relayna.consumer.attempts.attempt_observer import AttemptObserver
from relayna.consumer.attempts.context import Context
from relayna.consumer.attempts.facts import AttemptFacts, DeliveryFacts
from relayna.consumer.attempts.outbox import Outbox
from relayna.consumer.attempts.outcome import Ack, DeadLetter, ManualRetry, ManualRetryRequest, Release, Retry
from relayna.consumer.broker import Message
from relayna.consumer.client import RelaynaClient
from relayna.consumer.messages.causal_headers import CausalHeaders, carried_headers, write_headers
from relayna.consumer.messages.envelopes import TaskEnvelope
from relayna.consumer.messages.incoming import Incoming, derived_message_id
from relayna.consumer.messages.outgoing import build_message
from relayna.errors import BrokerError, Disconnected, Unroutable
from relayna.events import FAILED_STATUSES, Body, DeadLetterRecorded, TaskMessageRejected
from relayna.ids import MessageId, message_event_id
from relayna.signals import AttemptSpan
from relayna.topologies import (
    Route,
    dead_letter_declarations,
    dead_letter_queue_name,
    dead_letter_route,
    retry_declarations,
    retry_queue_name,
    task_route,
)

__all__ = ["Ending"]

_log: Final = logging.getLogger("relayna.consumer")


class Ending(Struct, kw_only=True):
    """Everything that is needed to end one attempt."""

    client: RelaynaClient
    incoming: Incoming[Any]  # Any: whichever envelope
    observer: AttemptObserver
    outbox: Outbox
    context: Context
    facts: AttemptFacts
    of: DeliveryFacts
    lifecycle: frozenset[str]
    span: AttemptSpan

    async def publish(self, outcome: Ack | ManualRetry | Retry | DeadLetter | Release) -> Body:
        """Publish with confirms what the outcome asks for; return the event that closes the attempt.

        The messages name that event as their cause, so nothing else may be said in between. Raises `BrokerError`.
        """
        match outcome:
            case Ack():
                return await self._ack()
            case ManualRetry(request):
                return await self._manual_retry(request)
            case Retry():
                return await self._retry(outcome)
            case DeadLetter():
                return await self._dead_letter(outcome)
            case Release(reason):
                return self.given_back(reason)

    async def publish_lifecycle_status(self, status: str) -> None:
        """Publish a status in the consumer's name, when this kind of consumer does. Raises `Disconnected`."""
        if status in self.lifecycle:
            await self._publish_status(status)

    def given_back(self, reason: str) -> Body:
        """The event that closes an attempt whose delivery goes back to its queue."""
        return TaskMessageRejected(
            queue_name=self.of.queue_name,
            consumer_name=self.of.consumer_name,
            delivery_tag=self.incoming.delivery.delivery_tag,
            requeue=True,
            reason=reason,
        )

    async def _ack(self) -> Body:
        await self.outbox.publish_held()
        if self.outbox.statuses_sent.isdisjoint(self.client.terminal_statuses):
            await self.publish_lifecycle_status("completed")
        return self.facts.acked(self.of, reason=None, joined=self.context.joined_message_ids)

    async def _manual_retry(self, request: ManualRetryRequest) -> Body:
        await self.outbox.publish_held()
        await self._publish_status("manual_retrying", message=request.reason)
        incoming, original = self.incoming, self.incoming.delivery.message
        envelope = incoming.envelope
        if not isinstance(envelope, TaskEnvelope):
            raise TypeError("only tasks can be retried by hand")
        again = replace(
            envelope,
            task_type=request.task_type or envelope.task_type,
            payload=request.payload if request.changes_payload else envelope.payload,
            session_id=incoming.session_id,
            parent_task_id=incoming.parent_task_id,
            correlation_id=incoming.correlation_id,
        )
        headers = replace(
            self._copied_headers(), message_id=self._derived("manual_retry"), retry_attempt=0, replay_count=0
        )
        message = build_message(
            self.client.envelopes.encode(again),
            headers,
            correlation_id=again.correlation_id,
            user_headers=carried_headers(original.headers),
            priority=original.priority,
        )
        await self.client.sender.send(message, task_route(self.client.topology, again.task_type))
        return self.facts.acked(self.of, reason="manual_retry", joined=())

    async def _retry(self, retry: Retry) -> Body:
        await self.publish_lifecycle_status("retrying")
        route = Route("", retry_queue_name(self.of.queue_name, retry.delay_ms))
        copy = self._copy(retry_attempt=retry.retry_attempt)
        try:
            await self.client.sender.send(copy, route)
        except Unroutable:
            # Somebody deleted the queue. Given back, the message would come round at once, again and again.
            await self.client.broker.declare(retry_declarations(self.of.queue_name, (retry.delay_ms,)))
            await self.client.sender.send(copy, route)
        return self.facts.retry_scheduled(self.of, retry)

    async def _dead_letter(self, letter: DeadLetter) -> Body:
        if self.outbox.statuses_sent.isdisjoint(FAILED_STATUSES):
            await self.publish_lifecycle_status("failed")
        topology, queue_name = self.client.topology, self.of.queue_name
        # Its exchange has two queues and confirms as soon as one of them holds the letter: both must be there.
        await self.client.broker.declare(dead_letter_declarations(topology, queue_name))
        copy = self._copy(retry_attempt=self.incoming.headers.retry_attempt)
        await self.client.sender.send(copy, dead_letter_route(topology, queue_name))
        dead_letter_id = self._derived("dead_letter")
        self.observer.record_beside(
            self._recorded(letter, dead_letter_id),
            event_id=message_event_id(dead_letter_id, "dead_letter"),
            cause=self.observer.next_event_id(),
        )
        return self.facts.dead_lettered(self.of, letter)

    def _recorded(self, letter: DeadLetter, dead_letter_id: str) -> DeadLetterRecorded:
        message = self.incoming.delivery.message
        return DeadLetterRecorded(
            dead_letter_id=dead_letter_id,
            queue_name=dead_letter_queue_name(self.of.queue_name),
            source_queue_name=self.of.queue_name,
            reason=letter.reason,
            retry_attempt=self.incoming.headers.retry_attempt,
            max_retries=self.of.max_retries,
            exception_type=letter.exception_type,
            exception_message=letter.exception_message,
            message_id=self.incoming.message_id,
            stage=self.of.stage,
            headers=dict(message.headers),
            content_type=message.content_type,
            body=message.body,
            body_size=len(message.body),
            body_sha256=hashlib.sha256(message.body).hexdigest(),
        )

    async def _publish_status(self, status: str, *, message: str | None = None) -> None:
        """Raises `Disconnected` only: a missing status queue must not stop the work."""
        try:
            await self.context.publish_lifecycle_status(status, message=message)
        except Disconnected:
            raise
        except BrokerError as error:
            self.count_unpublished(status, error)

    def count_unpublished(self, status: str, error: BrokerError) -> None:
        """A status reached nobody; it is in the stream already, and the work goes on."""
        self.client.counters.increment("relayna_statuses_unpublished_total", queue=self.of.queue_name)
        _log.warning("Status %s of task %s was not published: %s", status, self.incoming.task_id, error)

    def _copied_headers(self) -> CausalHeaders:
        """As they came, and caused by the closing event that is about to be said."""
        return replace(
            self.incoming.headers,
            cause=self.observer.next_event_id(),
            task_id=self.incoming.task_id,
            session_id=self.incoming.session_id,
            parent_task_id=self.incoming.parent_task_id,
            message_id=self.incoming.message_id,
            repeated=self.incoming.repeated,
        )

    def _copy(self, *, retry_attempt: int) -> Message:
        message = self.incoming.delivery.message
        headers = replace(self._copied_headers(), retry_attempt=retry_attempt)
        return replace(message, headers=write_headers(headers, message.headers))

    def _derived(self, label: str) -> MessageId:
        identity = self.incoming.identity
        return self.client.mint.message_id() if identity is None else derived_message_id(identity, label)
