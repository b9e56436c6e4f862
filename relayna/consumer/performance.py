"""Carries an outcome out: publish with confirm, say the closing event, make it durable, settle. In that order.

Owns the order, for every outcome, and what happens when a publish fails on the way.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from relayna.consumer.attempt_observer import AttemptObserver
from relayna.consumer.broker import Delivery, Message, Settlement
from relayna.consumer.causal_headers import carried_headers, write_headers
from relayna.consumer.client import RelaynaClient
from relayna.consumer.context import Context
from relayna.consumer.envelopes import TaskEnvelope
from relayna.consumer.facts import AttemptFacts, DeliveryFacts
from relayna.consumer.incoming import Incoming, derived_message_id
from relayna.consumer.outbox import Outbox, build_message
from relayna.consumer.outcome import (
    Ack,
    DeadLetter,
    Failed,
    HandlerResult,
    ManualRetry,
    ManualRetryRequest,
    Outcome,
    Retry,
)
from relayna.errors import BrokerError, Disconnected
from relayna.events import Body, DeadLetterRecorded, TaskMessageRejected
from relayna.ids import MessageId, message_event_id
from relayna.streams.sink import Durability
from relayna.topologies import Route, dead_letter_queue_name, dead_letter_route, retry_queue_name, task_route

__all__ = ["Performance", "settle"]

_log: Final = logging.getLogger("relayna.consumer")
_ENDS_IN_FAILURE: Final = frozenset({"failed", "dead_lettered", "cancelled"})


class Performance(Struct, kw_only=True):
    """Everything that is needed to end one attempt."""

    client: RelaynaClient
    incoming: Incoming[Any]  # Any: whichever envelope
    observer: AttemptObserver
    outbox: Outbox
    context: Context
    facts: AttemptFacts
    of: DeliveryFacts
    lifecycle: frozenset[str]

    async def perform(
        self, outcome: Outcome, result: HandlerResult, *, decide_again: Callable[[HandlerResult], Outcome]
    ) -> None:
        """Carry it out. When what the handler wanted published cannot be, that is the handler's failure."""
        if isinstance(result, Failed):
            self.observer.record(self.facts.failed(self.of, result))
        error = await self._attempt(outcome)
        if (
            error is not None
            and isinstance(outcome, Ack | ManualRetry)
            and not isinstance(error, Disconnected)
        ):
            failure = Failed(exception_type=type(error).__name__, exception_message=str(error))
            self.observer.record(self.facts.failed(self.of, failure))
            error = await self._attempt(decide_again(failure))
        if error is not None:
            self.client.counters.increment("relayna_outcomes_failed_total", queue=self.of.queue_name)
            _log.warning("A delivery on %s goes back to its queue: %s", self.of.queue_name, error)
            await self._release(f"{type(error).__name__}: {error}")

    async def publish_lifecycle_status(self, status: str) -> None:
        """Publish a status in the consumer's name. Raises `Disconnected`; that nobody takes it is only counted."""
        if status not in self.lifecycle:
            return
        try:
            await self.context.publish_lifecycle_status(status)
        except Disconnected:
            raise
        except BrokerError as error:
            # The status is in the stream already; a missing status queue must not stop the work.
            self.client.counters.increment("relayna_statuses_unpublished_total", queue=self.of.queue_name)
            _log.warning("Status %s of task %s was not published: %s", status, self.incoming.task_id, error)

    async def _attempt(self, outcome: Outcome) -> Exception | None:
        try:
            match outcome:
                case Ack():
                    await self._ack()
                case ManualRetry(request):
                    await self._manual_retry(request)
                case Retry():
                    await self._retry(outcome)
                case DeadLetter():
                    await self._dead_letter(outcome)
                case _:
                    await self._release(getattr(outcome, "reason", "released"))
        except BrokerError as error:
            return error
        except Exception as error:  # noqa: BLE001 - counted and told by the caller; the delivery must not be lost
            _log.exception("Ending a delivery on %s failed", self.of.queue_name)
            return error
        return None

    async def _ack(self) -> None:
        await self.outbox.publish_held()
        if not self.context.ends_published:
            await self.publish_lifecycle_status("completed")
        joined = self.context.joined_message_ids
        await self._close(self.facts.acked(self.of, reason=None, joined=joined), Settlement.ACK)

    async def _manual_retry(self, request: ManualRetryRequest) -> None:
        await self.outbox.publish_held()
        await self.context.publish_lifecycle_status("manual_retrying")
        envelope = self.incoming.envelope
        if not isinstance(envelope, TaskEnvelope):
            raise TypeError("only tasks can be retried by hand")
        task_type = request.task_type or envelope.task_type
        message_id = self._derived("manual_retry")
        again = replace(
            envelope,
            task_type=task_type,
            payload=request.payload if request.changes_payload else envelope.payload,
            session_id=self.incoming.session_id,
            parent_task_id=self.incoming.parent_task_id,
        )
        headers = replace(
            self.incoming.headers,
            cause=self.observer.next_event_id(),
            task_id=self.incoming.task_id,
            session_id=self.incoming.session_id,
            parent_task_id=self.incoming.parent_task_id,
            message_id=message_id,
            retry_attempt=0,
            replay_count=0,
            repeated=self.incoming.repeated,
        )
        message = build_message(
            again, headers, user_headers=carried_headers(self.incoming.delivery.message.headers)
        )
        await self._publish(message, task_route(self.client.topology, task_type))
        await self._close(self.facts.acked(self.of, reason="manual_retry", joined=()), Settlement.ACK)

    async def _retry(self, retry: Retry) -> None:
        await self.publish_lifecycle_status("retrying")
        queue = retry_queue_name(self.of.queue_name, retry.delay_ms)
        await self._publish(self._copy(retry_attempt=retry.retry_attempt), Route("", queue))
        await self._close(self.facts.retry_scheduled(self.of, retry), Settlement.ACK)

    async def _dead_letter(self, letter: DeadLetter) -> None:
        if not self.context.ends_published & _ENDS_IN_FAILURE:
            await self.publish_lifecycle_status("failed")
        copy = self._copy(retry_attempt=self.incoming.headers.retry_attempt)
        await self._publish(copy, dead_letter_route(self.client.topology, self.of.queue_name))
        dead_letter_id = self._derived("dead_letter")
        self.observer.record_beside(
            self._recorded(letter, dead_letter_id),
            event_id=message_event_id(dead_letter_id, "dead_letter"),
            cause=self.observer.next_event_id(),
        )
        await self._close(self.facts.dead_lettered(self.of, letter), Settlement.ACK)

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

    async def _release(self, reason: str) -> None:
        delivery = self.incoming.delivery
        rejected = TaskMessageRejected(
            queue_name=self.of.queue_name,
            consumer_name=self.of.consumer_name,
            delivery_tag=delivery.delivery_tag,
            requeue=True,
            reason=reason,
        )
        await self._close(rejected, Settlement.RELEASE)

    async def _close(self, closing: Body, settlement: Settlement) -> None:
        self.observer.record(closing)
        durability = await self.observer.durable()
        if durability is not Durability.STORED:
            self.client.counters.increment("relayna_settled_before_durable_total", reason=durability.value)
        delivery = self.incoming.delivery
        if settlement is not Settlement.RELEASE or self.client.broker.is_open(delivery):
            await settle(self.client, delivery, settlement)

    async def _publish(self, message: Message, route: Route) -> None:
        await self.client.broker.publish(
            message,
            exchange=route.exchange,
            routing_key=route.routing_key,
            confirm_timeout=self.client.confirm_timeout,
        )

    def _copy(self, *, retry_attempt: int) -> Message:
        """The same message, caused by the closing event that is about to be said."""
        message = self.incoming.delivery.message
        headers = replace(
            self.incoming.headers,
            cause=self.observer.next_event_id(),
            task_id=self.incoming.task_id,
            session_id=self.incoming.session_id,
            parent_task_id=self.incoming.parent_task_id,
            message_id=self.incoming.message_id,
            retry_attempt=retry_attempt,
            repeated=self.incoming.repeated,
        )
        return replace(message, headers=write_headers(headers, message.headers))

    def _derived(self, label: str) -> MessageId:
        identity = self.incoming.identity
        return self.client.mint.message_id() if identity is None else derived_message_id(identity, label)


async def settle(client: RelaynaClient, delivery: Delivery, settlement: Settlement) -> None:
    """Tell the broker; a closed channel means that it hands the delivery out again, which is then a repeat."""
    try:
        await client.broker.settle(delivery, settlement)
    except BrokerError as error:
        client.counters.increment("relayna_settlements_lost_total", queue=delivery.queue_name)
        _log.info("A settlement on %s was lost: %s", delivery.queue_name, error)
