"""One delivery from receipt to settlement: the steps of `DeliveryRun.run`, in order.

Owns the one place where outcomes are carried out. What becomes of a delivery is decided in `outcome.py`;
which event says so, in `facts.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
from msgspec import Struct

from relayna.consumer.attempt_observer import AttemptObserver
from relayna.consumer.broker import Settlement
from relayna.consumer.client import RelaynaClient
from relayna.consumer.context import Context
from relayna.consumer.facts import AttemptFacts, DeliveryFacts
from relayna.consumer.incoming import Incoming
from relayna.consumer.outbox import Outbox
from relayna.consumer.outcome import (
    Failed,
    HandlerResult,
    NotRun,
    Outcome,
    Release,
    Returned,
    Stopped,
    decide,
)
from relayna.consumer.performance import Performance, settle
from relayna.consumer.repeats import PriorAttempts, prior_attempts
from relayna.consumer.retry_policy import RetryPolicy
from relayna.errors import Disconnected, StoreError
from relayna.events import DeliveryRepeated
from relayna.ids import counted_event_id
from relayna.streams.sink import ObservationSink

__all__ = ["DeliveryRun", "HandlerRun", "RunSettings"]

_log: Final = logging.getLogger("relayna.consumer")
_PRIOR_READ_SECONDS: Final = 2.0

HandlerRun = Callable[[Any, Any], Awaitable[object]]
"""The user's handler as a coroutine function of (envelope, context). Any: whichever kind of consumer."""


class RunSettings(Struct, frozen=True, kw_only=True):
    """What all deliveries of one consumer have in common."""

    client: RelaynaClient
    sink: ObservationSink | None
    handler: HandlerRun
    facts: AttemptFacts
    context: Callable[..., Context]
    policy: RetryPolicy
    consumer_name: str
    lifecycle: frozenset[str]
    """Statuses that the consumer publishes by itself."""
    handler_timeout: float | None


class DeliveryRun:
    """One delivery of one consumer."""

    def __init__(
        self, settings: RunSettings, incoming: Incoming[Any], *, stage: str | None, shard: int | None
    ) -> None:
        self._settings = settings
        self._client = settings.client
        self._incoming = incoming
        self._stage = stage
        self._of = DeliveryFacts(
            delivery=incoming.delivery,
            headers=incoming.headers,
            message_id=incoming.message_id,
            consumer_name=settings.consumer_name,
            max_retries=settings.policy.max_retries,
            task_type=getattr(incoming.envelope, "task_type", None),
            stage=stage,
            shard=shard,
        )
        self.handler_scope = anyio.CancelScope()
        """Cancelled from outside when the worker's drain deadline has passed."""

    async def run(self) -> None:
        """Look for repeats, open the attempt, run the handler, decide, perform."""
        prior = await self._prior()
        if prior.closed is not None:
            await self._tell_repeat(prior)
            return
        observer = self._observer()
        outbox = Outbox(
            observer=observer, broker=self._client.broker, confirm_timeout=self._client.confirm_timeout
        )
        context = self._settings.context(
            client=self._client, incoming=self._incoming, observer=observer, outbox=outbox, stage=self._stage
        )
        observer.record(self._settings.facts.received(self._of))
        performance = Performance(
            client=self._client,
            incoming=self._incoming,
            observer=observer,
            outbox=outbox,
            context=context,
            facts=self._settings.facts,
            of=self._of,
            lifecycle=self._settings.lifecycle,
        )
        result = await self._handle(context, observer, performance, prior)
        with anyio.CancelScope(shield=True):
            await performance.perform(self._decide(result), result, decide_again=self._decide)

    def _decide(self, result: HandlerResult) -> Outcome:
        return decide(
            result,
            retry_attempt=self._incoming.headers.retry_attempt,
            policy=self._settings.policy,
            channel_open=self._client.broker.is_open(self._incoming.delivery),
        )

    async def _prior(self) -> PriorAttempts:
        """What the log knows of this delivery; nothing when it was never handed out before."""
        identity, sink = self._incoming.identity, self._settings.sink
        if identity is None or sink is None or not self._incoming.repeated:
            return PriorAttempts()
        try:
            with anyio.fail_after(_PRIOR_READ_SECONDS):
                return prior_attempts(await sink.read(self._incoming.task_id), identity)
        except (StoreError, TimeoutError) as error:
            # Handling a message twice is better than not handling it while the store is away.
            self._client.counters.increment("relayna_repeat_checks_failed_total")
            _log.warning("Could not look for earlier attempts at task %s: %s", self._incoming.task_id, error)
            return PriorAttempts()

    def _observer(self) -> AttemptObserver:
        return AttemptObserver(
            sink=self._settings.sink,
            clock=self._client.clock,
            attempt_id=self._client.mint.attempt_id(),
            task_id=self._incoming.task_id,
            cause=self._incoming.headers.cause,
            parent_task_id=self._incoming.parent_task_id,
            session_id=self._incoming.session_id,
            correlation_id=self._incoming.correlation_id,
            producer=self._client.producer,
            topology_kind=self._client.topology_kind,
        )

    async def _tell_repeat(self, prior: PriorAttempts) -> None:
        """The ack of an attempt that was closed got lost: settle now, and say so."""
        if prior.closed is None:
            return
        observer = self._observer()
        observer.attempt_id = prior.closed
        body = DeliveryRepeated(
            queue_name=self._of.queue_name,
            consumer_name=self._settings.consumer_name,
            message_id=self._incoming.message_id,
            retry_attempt=self._incoming.headers.retry_attempt,
            delivery_tag=self._incoming.delivery.delivery_tag,
            delivery_count=self._incoming.delivery.delivery_count,
            stage=self._stage,
        )
        event_id = counted_event_id(prior.closed, "repeated", prior.repeats + 1)
        with anyio.CancelScope(shield=True):
            observer.record_beside(body, event_id=event_id, cause=None)
            await observer.durable()
            await settle(self._client, self._incoming.delivery, Settlement.ACK)

    async def _handle(
        self, context: Context, observer: AttemptObserver, performance: Performance, prior: PriorAttempts
    ) -> HandlerResult:
        if self._incoming.malformed is not None:
            return NotRun(reason="malformed_message", problem=str(self._incoming.malformed))
        if prior.unfinished > self._settings.policy.max_retries:
            problem = f"{prior.unfinished} attempts began and never ended"
            return NotRun(reason="poison", problem=problem)
        try:
            await performance.publish_lifecycle_status("processing")
            await observer.make_visible()
            return await self._run_handler(context)
        except Disconnected as error:
            return Stopped(str(error))
        except anyio.get_cancelled_exc_class():
            # The consumer's own tasks are being torn down: give the delivery back, then go.
            with anyio.CancelScope(shield=True):
                await performance.perform(
                    Release("cancelled"), Stopped("cancelled"), decide_again=self._decide
                )
            raise
        finally:
            context.close()

    async def _run_handler(self, context: Context) -> HandlerResult:
        timeout = self._settings.handler_timeout
        with self.handler_scope, anyio.CancelScope() as limit:
            if timeout is not None:
                limit.deadline = anyio.current_time() + timeout
            try:
                await self._settings.handler(self._incoming.envelope, context)
            except Exception as error:  # noqa: BLE001 - whatever a handler raises is its failure, told in full
                return self._failure(error)
        if self.handler_scope.cancelled_caught:
            return Stopped("drain_deadline")
        if limit.cancelled_caught:
            return Failed(
                exception_type="HandlerTimeout", exception_message=f"the handler took over {timeout:g} s"
            )
        return Returned(context.manual_retry_request)

    def _failure(self, error: Exception) -> Failed:
        return Failed(
            exception_type=type(error).__name__,
            exception_message=str(error),
            retryable=not isinstance(error, self._settings.policy.non_retryable),
        )
