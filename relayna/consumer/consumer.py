"""The loop of every consumer: take deliveries, run them, drain on the way out.

Owns concurrency; `service.py` starts and stops it. `task.py`, `aggregation.py` and `workflow.py` say what is
consumed and how it is told; `attempts/delivery_run.py` what happens to one delivery, `batches.py` to a batch.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any, ClassVar, Final, Generic

import anyio
import anyio.to_thread
from anyio.abc import TaskStatus
from msgspec import Struct
from msgspec.structs import replace

from relayna.consumer.attempts.context import Context
from relayna.consumer.attempts.delivery_run import DeliveryRun
from relayna.consumer.attempts.facts import AttemptFacts
from relayna.consumer.attempts.failures import traceback_of
from relayna.consumer.attempts.performance import release_after_error
from relayna.consumer.attempts.run_settings import HandlerRun, RunSettings
from relayna.consumer.attempts.shared_promise import SharedPromise
from relayna.consumer.batches import BatchRun
from relayna.consumer.broker import Delivery, Subscription
from relayna.consumer.client import RelaynaClient
from relayna.consumer.measured_spans import begin_counting
from relayna.consumer.messages.envelopes import AnyEnvelope
from relayna.consumer.messages.incoming import read_delivery
from relayna.consumer.option_checks import check_handler, check_numbers, check_retry_policy, check_sink
from relayna.consumer.retry_policy import RetryPolicy
from relayna.consumer.service import Service
from relayna.streams.sink import ObservationSink
from relayna.topologies import Declarations, declarations, retry_declarations

__all__ = ["ConsumedQueue", "Consumer"]

_log: Final = logging.getLogger("relayna.consumer")


class ConsumedQueue(Struct, frozen=True, kw_only=True):
    """A queue that a consumer takes from, and what that makes its deliveries."""

    name: str
    place: str
    """What identifies a delivery beside its message: the queue, or the stage of a workflow."""
    stage: str | None = None
    shard: int | None = None


class Consumer(Service, Generic[AnyEnvelope]):
    """Takes deliveries of its queues, at most `prefetch` a queue at a time, and sees each to its end.

    `run()` goes on until `stop()` or until it is cancelled. Either way it takes no more, lets what is being
    handled finish for `drain_seconds`, gives the rest back to the broker, and returns.
    """

    lifecycle: ClassVar[frozenset[str]] = frozenset({"processing", "retrying", "completed", "failed"})
    """The statuses that this kind of consumer publishes in its own name."""

    def __init__(
        self,
        *,
        rabbitmq: RelaynaClient,
        handler: Callable[[Any, Any], object],  # Any: envelope and context of the kind of consumer
        queues: tuple[ConsumedQueue, ...],
        envelope: type[AnyEnvelope],
        facts: AttemptFacts,
        context: Callable[..., Context],
        retry_policy: RetryPolicy | None = None,
        observation_sink: ObservationSink | None = None,
        consumer_name: str | None = None,
        prefetch: int | None = None,
        handler_timeout: float | None = None,
        lifecycle_statuses: bool = True,
        drain_seconds: float = 30.0,
    ) -> None:
        super().__init__()
        self.prefetch = rabbitmq.topology.prefetch_count if prefetch is None else prefetch
        check_numbers(self.prefetch, len(queues), drain_seconds, handler_timeout)
        check_handler(handler)
        check_retry_policy(retry_policy)
        check_sink(observation_sink)
        self._client, self._queues = rabbitmq, queues
        self._envelope: type[AnyEnvelope] = envelope
        self._sink = rabbitmq.observation_sink if observation_sink is None else observation_sink
        self.drain_seconds = drain_seconds
        self._settings = RunSettings(
            client=rabbitmq,
            sink=self._sink,
            promise=None if self._sink is None else SharedPromise(self._sink),
            handler=_as_coroutine_function(handler, threads=self.prefetch * len(queues)),
            facts=facts,
            context=context,
            policy=retry_policy or RetryPolicy(),
            consumer_name=consumer_name or f"{type(self).__name__}-{rabbitmq.producer}",
            lifecycle=self.lifecycle if lifecycle_statuses else frozenset(),
            handler_timeout=handler_timeout,
        )
        self._running: set[DeliveryRun | BatchRun] = set()

    @property
    def retry_policy(self) -> RetryPolicy:
        """When it tries again. Can be changed until it runs: then its retry queues are declared."""
        return self._settings.policy

    @retry_policy.setter
    def retry_policy(self, policy: RetryPolicy) -> None:
        self._settings = replace(self._settings, policy=policy)

    def declarations(self) -> Declarations:
        """What the broker must have for this consumer: its topology, and its own retry queues."""
        needed = declarations(self._client.topology)
        for queue in self._queues:
            needed += retry_declarations(queue.name, self.retry_policy.ladder())
        return needed

    async def _serve(self, task_status: TaskStatus[None]) -> None:
        stopping = self._stopping
        async with contextlib.AsyncExitStack() as opened:
            if self._sink is not None:
                await opened.enter_async_context(self._sink)
            await self._client.broker.declare(self.declarations())
            begin_counting(self._client.counters, (queue.name for queue in self._queues))
            subscriptions = [
                (
                    queue,
                    await opened.enter_async_context(
                        self._client.broker.consume(queue.name, prefetch=self.prefetch)
                    ),
                )
                for queue in self._queues
            ]
            async with anyio.create_task_group() as timers:
                async with anyio.create_task_group() as workers:
                    for queue, subscription in subscriptions:
                        for _ in range(self.prefetch):
                            workers.start_soon(self._work, queue, subscription, stopping)
                    self._has_started(task_status)
                    names = ", ".join(queue.name for queue in self._queues)
                    _log.info("%s is listening on %s", self._settings.consumer_name, names)
                    await stopping.wait()
                    for _, subscription in subscriptions:
                        await subscription.cancel()
                    timers.start_soon(self._cut_off)
                timers.cancel_scope.cancel()

    async def _work(self, queue: ConsumedQueue, subscription: Subscription, stopping: anyio.Event) -> None:
        try:
            async for delivery in subscription:
                await self._run_one(queue, delivery)
        finally:
            stopping.set()  # whoever ended it: with fewer workers the deliveries would wait for ever

    async def _run_one(self, queue: ConsumedQueue, delivery: Delivery) -> None:
        incoming = read_delivery(
            delivery, self._envelope, place=queue.place, envelopes=self._client.envelopes
        )
        one: DeliveryRun | BatchRun
        if incoming.batch is None:
            one = DeliveryRun(self._settings, incoming, stage=queue.stage, shard=queue.shard)
        else:
            one = BatchRun(self._client, incoming, incoming.batch)
        self._running.add(one)
        try:
            await one.run()
        except Exception as error:  # noqa: BLE001 - counted, logged with its traceback, and the delivery released
            # A mistake of ours must neither lose the message nor stop its neighbours.
            self._client.counters.increment("relayna_deliveries_failed_total", queue=queue.name)
            told = traceback_of(error, self._client.redact)
            _log.error(
                "Handling a delivery on %s failed in relayna itself; it goes back: %s", queue.name, told
            )
            await release_after_error(self._client, delivery)
        finally:
            self._running.discard(one)

    async def _cut_off(self) -> None:
        """When the drain deadline has passed, interrupt the handlers; their deliveries go back."""
        await anyio.sleep(self.drain_seconds)
        for one in self._running:
            one.interrupt()


def _as_coroutine_function(handler: Callable[[Any, Any], object], *, threads: int) -> HandlerRun:
    """The handler as a coroutine function; a plain function runs in a thread, so that it blocks nobody.

    A thread cannot be interrupted: at a timeout or the end of draining it is left to itself.
    """
    called = handler if inspect.isfunction(handler) or inspect.ismethod(handler) else type(handler).__call__
    if inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(called):
        return handler  # type: ignore[return-value]  # just checked
    limiter = anyio.CapacityLimiter(threads)

    @functools.wraps(handler)  # it is recorded under its own name
    async def in_thread(envelope: object, context: object) -> object:
        call = functools.partial(handler, envelope, context)
        returned = await anyio.to_thread.run_sync(call, abandon_on_cancel=True, limiter=limiter)
        if inspect.isawaitable(returned):  # a plain function around a coroutine function
            return await returned
        return returned

    return in_thread
