"""Carries an outcome out: publish with confirm, say the closing event, make it durable, settle. In that order.

Owns the order, and what happens when a publish fails on the way. Decides nothing: `outcome.py` does. What is
published is in `ending.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from relayna.consumer.attempts.ending import Ending
from relayna.consumer.attempts.failures import failure_of, traceback_of
from relayna.consumer.attempts.outcome import (
    Ack,
    Duplicate,
    Failed,
    HandlerResult,
    ManualRetry,
    NotRun,
    Outcome,
)
from relayna.consumer.broker import Delivery, Settlement
from relayna.consumer.client import RelaynaClient
from relayna.errors import BrokerError, Disconnected, OutcomeUnknown
from relayna.events import Body, DeliveryRepeated, TaskMessageRejected
from relayna.events.vocabulary import DEAD_LETTER_TYPES, RETRY_TYPES
from relayna.ids import counted_event_id
from relayna.projections.outcomes import outcome_of
from relayna.streams.sink import KEPT

__all__ = ["Performance", "release_after_error", "settle"]

_log: Final = logging.getLogger("relayna.consumer")
_PAUSE_SECONDS: Final = 1.0
"""Given back at once, a delivery comes round at once, and uses up its delivery limit while the trouble lasts."""


class Performance(Struct, kw_only=True):
    """The last steps of one delivery."""

    ending: Ending
    decide: Callable[[HandlerResult], Outcome]

    async def perform(self, result: HandlerResult) -> None:
        """Carry out what is decided. When what the handler wanted published cannot be, that is its failure."""
        outcome = self.decide(result)
        if isinstance(outcome, Duplicate):
            self._tell_repeat(outcome)
            self.ending.span.ended("duplicate")
            await self._settle_when_durable(Settlement.ACK)
            return
        if isinstance(result, Failed):
            self._tell_failure(result)
        if isinstance(result, NotRun):
            self.ending.span.failed(result.reason, result.problem)
        closing = await self._published(outcome)
        if isinstance(closing, Exception) and _is_the_handlers_fault(closing, outcome):
            failure = failure_of(closing, redact=self.ending.client.redact)
            self._tell_failure(failure)
            closing = await self._published(self.decide(failure))
        if isinstance(closing, Exception):
            self._close(self._given_back(closing))
            await self._count_durability()
            await release_after_error(self.ending.client, self.ending.of.delivery)
            return
        self._close(closing)
        self._log_end(closing)
        released = isinstance(closing, TaskMessageRejected)
        await self._settle_when_durable(Settlement.RELEASE if released else Settlement.ACK)

    async def _published(self, outcome: Outcome) -> Body | Exception:
        """The event that closes the attempt, or why it cannot be closed so."""
        if isinstance(outcome, Duplicate):
            return TypeError("a delivery that was run is no duplicate")
        try:
            return await self.ending.publish(outcome)
        except BrokerError as error:
            return error
        except Exception as error:  # noqa: BLE001 - told and counted by the caller; the delivery must not be lost
            told = traceback_of(error, self.ending.client.redact)
            _log.error("Ending a delivery on %s failed: %s", self.ending.of.queue_name, told)
            return error

    def _close(self, closing: Body) -> None:
        self.ending.context.finish_trace()
        self.ending.observer.record(closing)
        outcome = outcome_of([closing])
        if outcome is not None:
            self.ending.span.ended(outcome.name)
        if isinstance(closing, DEAD_LETTER_TYPES):
            self.ending.client.counters.increment(
                "relayna_dead_letters_total",
                queue=self.ending.of.queue_name,
                reason=closing.reason or "unknown",
            )

    def _tell_failure(self, failure: Failed) -> None:
        self.ending.observer.record(self.ending.facts.failed(self.ending.of, failure))
        self.ending.span.failed(failure.exception_type, failure.exception_message)
        told = failure.traceback or f"{failure.exception_type}: {failure.exception_message}"
        _log.warning("%s failed: %s", self._attempt, told)

    def _log_end(self, closing: Body) -> None:
        """For those who have no graph at hand."""
        if isinstance(closing, RETRY_TYPES):
            _log.info("%s: retry %s in %s ms", self._attempt, closing.retry_attempt, closing.delay_ms)
        elif isinstance(closing, DEAD_LETTER_TYPES):
            _log.error("%s: given up (%s); it lies in %s", self._attempt, closing.reason, closing.queue_name)

    @property
    def _attempt(self) -> str:
        observer = self.ending.observer
        return f"Attempt {observer.attempt_id} at task {observer.task_id}"

    def _tell_repeat(self, duplicate: Duplicate) -> None:
        of = self.ending.of
        body = DeliveryRepeated(
            queue_name=of.queue_name,
            consumer_name=of.consumer_name,
            message_id=of.message_id,
            retry_attempt=of.headers.retry_attempt,
            delivery_tag=of.delivery.delivery_tag,
            delivery_count=of.delivery.delivery_count,
            stage=of.stage,
        )
        event_id = counted_event_id(duplicate.attempt_id, "repeated", duplicate.repeat)
        self.ending.observer.record_beside(body, event_id=event_id, cause=of.headers.cause)

    def _given_back(self, error: Exception) -> Body:
        queue_name = self.ending.of.queue_name
        self.ending.client.counters.increment("relayna_outcomes_failed_total", queue=queue_name)
        failure = failure_of(error, redact=self.ending.client.redact)
        self.ending.span.failed(failure.exception_type, failure.exception_message)
        _log.warning("A delivery on %s goes back to its queue: %s", queue_name, failure.exception_message)
        return self.ending.given_back(f"{failure.exception_type}: {failure.exception_message}")

    async def _settle_when_durable(self, settlement: Settlement) -> None:
        await self._count_durability()
        client, delivery = self.ending.client, self.ending.of.delivery
        if settlement is not Settlement.RELEASE or client.broker.is_open(delivery):
            await settle(client, delivery, settlement)

    async def _count_durability(self) -> None:
        durability = await self.ending.observer.durable()
        if durability not in KEPT:
            self.ending.client.counters.increment(
                "relayna_settled_before_durable_total", reason=durability.value
            )


def _is_the_handlers_fault(error: Exception, outcome: Outcome) -> bool:
    """Whether it asked for something that cannot be published.

    Without an answer of the broker it may be published all the same: then the delivery goes back, so that its
    repeat has the same identity and derives the same ids. As a retry it would have others.
    """
    return isinstance(outcome, Ack | ManualRetry) and not isinstance(error, Disconnected | OutcomeUnknown)


async def settle(client: RelaynaClient, delivery: Delivery, settlement: Settlement) -> None:
    """Tell the broker; a closed channel means that it hands the delivery out again, which is then a repeat."""
    try:
        await client.broker.settle(delivery, settlement)
    except BrokerError as error:
        client.counters.increment("relayna_settlements_lost_total", queue=delivery.queue_name)
        _log.info("A settlement on %s was lost: %s", delivery.queue_name, error)


async def release_after_error(client: RelaynaClient, delivery: Delivery) -> None:
    """Give the delivery back, but not at once."""
    if client.broker.is_open(delivery):
        await client.clock.sleep(_PAUSE_SECONDS)
    if client.broker.is_open(delivery):
        await settle(client, delivery, Settlement.RELEASE)
