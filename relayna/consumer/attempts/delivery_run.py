"""One delivery from receipt to settlement: the steps of `DeliveryRun.run`, in order.

Owns the order of the steps and the running of the handler. What becomes of a delivery is decided in `outcome.py`
and carried out in `performance.py`; which event says so is in `facts.py`.
"""

from __future__ import annotations

import asyncio
import logging
import math
from typing import Any, Final

import anyio
from msgspec import Struct

from relayna.consumer.attempts.at_hand import Handling
from relayna.consumer.attempts.attempt_observer import AttemptObserver
from relayna.consumer.attempts.deferral import Deferral
from relayna.consumer.attempts.ending import Ending
from relayna.consumer.attempts.facts import DeliveryFacts
from relayna.consumer.attempts.failures import failure_of
from relayna.consumer.attempts.message_contents import record_input, record_output
from relayna.consumer.attempts.outbox import Outbox
from relayna.consumer.attempts.outcome import (
    Failed,
    HandledBefore,
    HandlerResult,
    NotRun,
    Outcome,
    Returned,
    Stopped,
    decide,
)
from relayna.consumer.attempts.performance import Performance, settle
from relayna.consumer.attempts.repeats import PriorAttempts
from relayna.consumer.attempts.run_settings import RunSettings
from relayna.consumer.broker import Settlement
from relayna.consumer.messages.incoming import Incoming
from relayna.errors import Disconnected
from relayna.ids import AttemptId
from relayna.signals import AttemptDetails, AttemptSpan

__all__ = ["DeliveryRun"]

_log: Final = logging.getLogger("relayna.consumer")


class _LetBe(Struct, frozen=True):
    """A copy of the delivery elsewhere was first, and this attempt was closed for its sake."""


class DeliveryRun:
    """One delivery of one consumer."""

    def __init__(
        self, settings: RunSettings, incoming: Incoming[Any], *, stage: str | None, shard: int | None
    ) -> None:
        self._settings = settings
        self._client = settings.client
        self._incoming = incoming
        self._stage = stage
        self._shard = shard
        self._deferral = Deferral(
            settings.client, settings.sink, incoming, handler_timeout=settings.handler_timeout
        )
        self._scope: anyio.CancelScope | None = None
        """Around the handler, while it runs."""
        self._interrupted = False

    def interrupt(self) -> None:
        """Stop the handler: the drain deadline has passed. Its delivery goes back."""
        self._interrupted = True
        self._deferral.give_up()
        if self._scope is not None:
            self._scope.cancel()

    async def run(self) -> None:
        """Look for repeats, open the attempt, run the handler, decide, perform."""
        handling = self._settings.at_hand.begin(self._client.mint.attempt_id(), self._incoming)
        try:
            # An attempt that lets another's be is over; the delivery then begins anew, or was handled there.
            while not await self._attempt(handling):
                handling.attempt_id = self._client.mint.attempt_id()
        finally:
            self._settings.at_hand.end(handling)

    async def _attempt(self, handling: Handling) -> bool:
        """Whether the delivery has come to its end: not when a copy of it elsewhere was first."""
        prior = await self._deferral.prior(handling)
        last = prior.closed is None and self._settings.policy.is_last_chance(prior.unfinished)
        gate = self._client.last_chances
        await gate.enter(last=last)
        try:
            return await self._proceed(handling, prior)
        finally:
            gate.leave(last=last)

    async def _proceed(self, handling: Handling, prior: PriorAttempts) -> bool:
        if not self._client.broker.is_open(self._incoming.delivery):
            return True  # the broker has handed it out again already: nothing was begun, nothing is told
        if self._interrupted and prior.closed is None:
            await settle(self._client, self._incoming.delivery, Settlement.RELEASE)
            return True
        attempt_id = prior.closed or handling.attempt_id
        with self._client.spans.processing(self._details(attempt_id)) as span:
            return await self._run(handling, self._ending(attempt_id, span), prior)

    async def _run(self, handling: Handling, ending: Ending, prior: PriorAttempts) -> bool:
        performance = Performance(ending=ending, decide=self._decide)
        cancelled: asyncio.CancelledError | None = None
        try:
            result = await self._begin(handling, ending, prior)
            if isinstance(result, _LetBe):
                return False
            result = result or await self._run_handler(handling, performance)
        except asyncio.CancelledError as error:
            if handling.decided:
                raise
            # The consumer's own tasks are being torn down: give the delivery back, then go.
            result, cancelled = Stopped("cancelled"), error
        if result is not None:
            handling.decided = True
            ending.context.close()
            with anyio.CancelScope(shield=True):
                await performance.perform(result)
        if cancelled is not None:
            raise cancelled
        return True

    async def _begin(
        self, handling: Handling, ending: Ending, prior: PriorAttempts
    ) -> HandlerResult | _LetBe | None:
        """Why the handler is not to run; nothing when it is."""
        if prior.closed is not None:
            return HandledBefore(attempt_id=prior.closed, repeats=prior.repeats)
        ending.observer.record(self._settings.facts.received(ending.of))
        if self._incoming.repeated:
            await ending.observer.durable()  # what kills its worker at once is counted all the same
            if await self._deferral.comes_second(handling):
                ending.observer.record(ending.given_back("deferred"))
                ending.span.ended("released")
                return _LetBe()
        if self._incoming.malformed is not None:
            return NotRun(reason="malformed_message", problem=str(self._incoming.malformed))
        if self._settings.policy.is_poison(prior.unfinished):
            return NotRun(reason="poison", problem=f"{prior.unfinished} attempts began and never ended")
        await self._announce(ending)
        await record_input(ending, self._settings.handler)
        if not self._client.broker.is_open(self._incoming.delivery):
            return Stopped("channel_closed")
        return None

    async def _announce(self, ending: Ending) -> None:
        try:
            await ending.publish_lifecycle_status("processing")
        except Disconnected as error:
            # The work can begin all the same: the connection that publishes is not the one that consumes.
            ending.count_unpublished("processing", error)
        ending.observer.make_visible()

    async def _run_handler(self, handling: Handling, performance: Performance) -> HandlerResult | None:
        """How it was cut off; nothing when it ended by itself, and what follows is carried out."""
        timeout = self._settings.handler_timeout
        self._scope = scope = anyio.CancelScope()
        if timeout is not None:
            scope.deadline = anyio.current_time() + timeout
        if self._interrupted:
            scope.cancel()
        result: HandlerResult | None = None
        with scope:
            result = await self._call_handler(performance.ending)
            if not scope.cancel_called:
                # What may be cut off is over, and the same scope keeps the rest from it: to enter another for
                # each message costs as much as to record it (docs/decisions/0019).
                self._scope, handling.decided = None, True
                scope.deadline, scope.shield = math.inf, True
                await performance.perform(result)
                return None
        # A handler may answer a cancellation with an error of its own: it was interrupted all the same.
        if isinstance(result, Returned):
            return result
        if self._interrupted or timeout is None:
            return Stopped("drain_deadline")
        return Failed(
            exception_type="HandlerTimeout", exception_message=f"the handler took over {timeout:g} s"
        )

    async def _call_handler(self, ending: Ending) -> HandlerResult:
        try:
            returned = await self._settings.handler(self._incoming.envelope, ending.context)
        except BaseException as error:
            if not _is_the_handlers_own(error):
                raise
            ending.span.raised(error)
            return failure_of(error, self._settings.policy.non_retryable, redact=self._client.redact)
        finally:
            ending.context.close()
        record_output(ending, returned)
        return Returned(ending.context.manual_retry_request)

    def _decide(self, result: HandlerResult) -> Outcome:
        return decide(
            result,
            retry_attempt=self._incoming.headers.retry_attempt,
            policy=self._settings.policy,
            channel_open=self._client.broker.is_open(self._incoming.delivery),
            # Without an id its body will do: a repeat of the delivery has the same.
            spread_by=self._incoming.message_id or self._incoming.delivery.message.body,
        )

    def _ending(self, attempt_id: AttemptId, span: AttemptSpan) -> Ending:
        observer = self._observer(attempt_id)
        outbox = Outbox(observer=observer, client=self._client)
        return Ending(
            client=self._client,
            incoming=self._incoming,
            observer=observer,
            outbox=outbox,
            context=self._settings.context(
                client=self._client,
                incoming=self._incoming,
                observer=observer,
                outbox=outbox,
                stage=self._stage,
            ),
            facts=self._settings.facts,
            of=self._delivery_facts(),
            lifecycle=self._settings.lifecycle,
            span=span,
        )

    def _details(self, attempt_id: AttemptId) -> AttemptDetails:
        incoming, delivery = self._incoming, self._incoming.delivery
        return AttemptDetails(
            exchange=delivery.exchange,
            routing_key=delivery.routing_key,
            queue_name=delivery.queue_name,
            delivery_tag=delivery.delivery_tag,
            headers=delivery.message.headers,
            message_id=delivery.message.message_id,
            correlation_id=incoming.correlation_id,
            body_size=len(delivery.message.body),
            task_id=incoming.task_id,
            session_id=incoming.session_id,
            attempt_id=attempt_id,
            retry_attempt=incoming.headers.retry_attempt,
            redelivered=delivery.redelivered,
        )

    def _delivery_facts(self) -> DeliveryFacts:
        incoming, envelope = self._incoming, self._incoming.envelope
        return DeliveryFacts(
            delivery=incoming.delivery,
            headers=incoming.headers,
            message_id=incoming.message_id,
            consumer_name=self._settings.consumer_name,
            max_retries=self._settings.policy.max_retries,
            task_type=getattr(envelope, "task_type", None),
            stage=self._stage,
            origin_stage=incoming.headers.origin_stage or getattr(envelope, "origin_stage", None),
            shard=self._shard,
        )

    def _observer(self, attempt_id: AttemptId) -> AttemptObserver:
        return AttemptObserver(
            sink=self._settings.sink,
            clock=self._client.clock,
            attempt_id=attempt_id,
            task_id=self._incoming.task_id,
            cause=self._incoming.headers.cause,
            parent_task_id=self._incoming.parent_task_id,
            session_id=self._incoming.session_id,
            correlation_id=self._incoming.correlation_id,
            producer=self._client.producer,
            topology_kind=self._client.topology_kind,
            promise=self._settings.promise,
        )


def _is_the_handlers_own(error: BaseException) -> bool:
    """Whether the handler raised it by itself: nobody cancels it, and nobody ends the program."""
    match error:
        case Exception():
            return True
        case asyncio.CancelledError():
            # It awaited something that was cancelled; let through, it would end our worker in silence.
            task = asyncio.current_task()
            return task is not None and not task.cancelling()
        case BaseExceptionGroup():
            return all(map(_is_the_handlers_own, error.exceptions))
        case _:
            return False
