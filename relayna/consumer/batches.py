"""A batch at a consumer: each of its tasks is published as a message of its own, then the batch is settled.

Owns that unpacking (docs/decisions/0007). No handler runs here and no attempt is opened: every task has its own
delivery for that.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from typing import Any, Final

import anyio
import msgspec

from relayna.consumer.attempts.performance import release_after_error, settle
from relayna.consumer.broker import Delivery, Message, Settlement
from relayna.consumer.client import RelaynaClient
from relayna.consumer.messages.causal_headers import CausalHeaders
from relayna.consumer.messages.envelopes import BatchTaskEnvelope, TaskEnvelope
from relayna.consumer.messages.incoming import Incoming, batched_message_id
from relayna.consumer.messages.outgoing import build_message
from relayna.errors import BrokerError
from relayna.ids import MessageId, message_event_id
from relayna.topologies import Route

__all__ = ["BatchRun"]

_log: Final = logging.getLogger("relayna.consumer")
_AT_ONCE: Final = 64
"""As many as a RabbitMQBroker publishes at a time: more would wait, and their confirm timeouts run."""


class BatchRun:
    """One delivery of a batch."""

    def __init__(
        self,
        client: RelaynaClient,
        incoming: Incoming[Any],  # Any: a batch has no envelope of its own
        batch: BatchTaskEnvelope,
    ) -> None:
        self._client = client
        self._incoming = incoming
        self._batch = batch
        self._route = Route("", incoming.delivery.queue_name)
        self._scope = anyio.CancelScope()
        self._confirmed = 0
        self._failure: BrokerError | None = None

    def interrupt(self) -> None:
        """Publish no more: the drain deadline has passed. The batch goes back."""
        self._scope.cancel()

    async def run(self) -> None:
        """Publish every task, each with a confirm; then settle the batch.

        When one cannot be published the batch goes back: its repeat derives the same message ids, and a task
        that was handled meanwhile is not handled again.
        """
        messages = self._messages()
        with self._scope:
            async with anyio.create_task_group() as publishing:
                for _ in range(min(_AT_ONCE, len(self._batch.tasks))):
                    publishing.start_soon(self._publish, messages)
        delivery = self._incoming.delivery
        if self._confirmed == len(self._batch.tasks):
            await settle(self._client, delivery, Settlement.ACK)
            return
        self._client.counters.increment("relayna_batches_released_total", queue=delivery.queue_name)
        _log.warning(
            "Batch %s on %s goes back to its queue, %s of its %s tasks published: %s",
            self._batch.batch_id,
            delivery.queue_name,
            self._confirmed,
            len(self._batch.tasks),
            self._failure or "the worker stops, or has lost its channel",
        )
        await release_after_error(self._client, delivery)

    async def _publish(self, messages: Iterator[Message]) -> None:
        # Without its channel the batch is handed out again already; what went out now would come after its repeats.
        while self._failure is None and self._client.broker.is_open(self._incoming.delivery):
            message = next(messages, None)
            if message is None:
                return
            try:
                await self._client.sender.send(message, self._route)
            except BrokerError as error:
                self._failure = error
                return
            self._confirmed += 1

    def _messages(self) -> Iterator[Message]:
        batch_message_id = self._incoming.message_id or _foreign_batch_id(
            self._incoming.delivery, self._batch
        )
        for ordinal, task in enumerate(self._batch.tasks):
            yield self._message(task, batched_message_id(batch_message_id, ordinal))

    def _message(self, task: TaskEnvelope, message_id: MessageId) -> Message:
        incoming, original = self._incoming, self._incoming.delivery.message
        own = msgspec.structs.replace(
            task,
            correlation_id=task.correlation_id or self._batch.correlation_id or original.correlation_id,
            meta={**self._batch.meta, **task.meta},
        )
        headers = CausalHeaders(
            # Whoever tells of a batch tells of each of its tasks.
            cause=message_event_id(message_id, "published") if incoming.headers.cause else None,
            task_id=task.task_id,
            session_id=task.session_id,
            parent_task_id=task.parent_task_id,
            message_id=message_id,
            repeated=incoming.repeated,
            batch_id=self._batch.batch_id,
        )
        return build_message(
            self._client.envelopes.encode(own),
            headers,
            correlation_id=own.correlation_id,
            user_headers=original.headers,
            priority=original.priority,
        )


def _foreign_batch_id(delivery: Delivery, batch: BatchTaskEnvelope) -> MessageId:
    """For a batch whose message has no id: the same batch, said again in the same words, is the same message."""
    said = batch.batch_id.encode() + b"\n" + delivery.message.body
    return MessageId(hashlib.sha256(said).hexdigest())
