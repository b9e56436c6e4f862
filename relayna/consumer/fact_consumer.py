"""The loop of consumers whose messages are facts already: record each, settle it once its fact is durable.

Owns the order of those two, and what is done while the store is away. `status_hub.py` and `dead_letters.py`
say which fact a message is. Runs no handler and opens no attempt.
"""

from __future__ import annotations

import abc
import contextlib
import logging
from collections.abc import Sequence
from typing import ClassVar, Final

import anyio
from anyio.abc import TaskStatus
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from relayna.consumer.attempts.failures import traceback_of
from relayna.consumer.attempts.performance import release_after_error, settle
from relayna.consumer.broker import Delivery, Settlement, Subscription
from relayna.consumer.client import RelaynaClient
from relayna.consumer.messages.envelopes import MalformedMessage
from relayna.consumer.service import Service
from relayna.errors import InvalidSetting, RecorderClosed, StoreError, StoreUnreachable
from relayna.events import Event
from relayna.ids import EventId
from relayna.streams.sink import KEPT, Durability, ObservationSink
from relayna.topologies import declarations

__all__ = ["FactConsumer"]

_log: Final = logging.getLogger("relayna.consumer")
_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 60.0

_Told = tuple[Delivery, Event]


class FactConsumer(Service):
    """Takes messages, at most `prefetch` a queue at a time, and acks each when its fact is in the task's stream.

    While the store is away it holds what it has taken and takes no more: the durable queues keep the rest.
    Given back again and again, messages would use up their delivery limit. What the store refuses while it
    takes other facts is released: in the end the broker gives it up, and nobody else waits for it.
    """

    counted_as: ClassVar[str]
    """What one message is called in the names of counters, in the plural."""

    def __init__(
        self,
        *,
        rabbitmq: RelaynaClient,
        queues: tuple[str, ...],
        observation_sink: ObservationSink | None = None,
        prefetch: int = 100,
        drain_seconds: float = 5.0,
    ) -> None:
        """Raises `InvalidSetting` without a sink: there would be nowhere to record."""
        super().__init__()
        sink = rabbitmq.observation_sink if observation_sink is None else observation_sink
        if sink is None:
            raise InvalidSetting(
                "observation_sink", "argument", "there is none, and recording is all it does"
            )
        if prefetch < 1:
            raise InvalidSetting("prefetch", "argument", f"{prefetch} must be at least 1")
        if drain_seconds < 0:
            raise InvalidSetting("drain_seconds", "argument", f"{drain_seconds} must be at least 0")
        self.prefetch = prefetch
        self._client = rabbitmq
        self._queues = queues
        self._sink = sink
        self.drain_seconds = drain_seconds
        self._pause_seconds = _PAUSE_SECONDS

    @abc.abstractmethod
    def read(self, delivery: Delivery) -> Event:
        """The fact that the message is; the same for each of its redeliveries. Raises `MalformedMessage`."""

    async def _serve(self, task_status: TaskStatus[None]) -> None:
        stopping = self._stopping
        broker = self._client.broker
        async with contextlib.AsyncExitStack() as opened:
            await opened.enter_async_context(self._sink)
            await broker.declare(declarations(self._client.topology))
            subscriptions = [
                await opened.enter_async_context(broker.consume(queue, prefetch=self.prefetch))
                for queue in self._queues
            ]
            taken, to_record = anyio.create_memory_object_stream[Delivery](self.prefetch)
            async with anyio.create_task_group() as timers, to_record:
                async with anyio.create_task_group() as workers:
                    async with taken:
                        for subscription in subscriptions:
                            workers.start_soon(self._take, subscription, taken.clone(), stopping)
                    workers.start_soon(self._record_all, to_record)
                    self._has_started(task_status)
                    await stopping.wait()
                    for subscription in subscriptions:
                        await subscription.cancel()
                    timers.start_soon(self._cut_off, workers.cancel_scope)
                timers.cancel_scope.cancel()

    async def _take(
        self, subscription: Subscription, taken: MemoryObjectSendStream[Delivery], stopping: anyio.Event
    ) -> None:
        try:
            async with taken:
                async for delivery in subscription:
                    await taken.send(delivery)
        finally:
            stopping.set()  # whoever ended it

    async def _cut_off(self, scope: anyio.CancelScope) -> None:
        """When the drain deadline has passed, go: with their channels, what is unsettled goes back."""
        await anyio.sleep(self.drain_seconds)
        scope.cancel()

    async def _record_all(self, to_record: MemoryObjectReceiveStream[Delivery]) -> None:
        # One loop for all queues: what the sink says of losses, it says once, to whoever asks first.
        held: list[_Told] = []
        while True:
            arrived: list[Delivery] = []
            with contextlib.suppress(anyio.WouldBlock, anyio.EndOfStream):
                if not held:
                    arrived.append(await to_record.receive())
                while True:
                    arrived.append(to_record.receive_nowait())
            held += await self._tell(arrived)
            if not arrived and not held:
                return  # the end of the stream
            held = await self._settle_stored(held)
            if held:
                self._client.counters.increment(f"relayna_{self.counted_as}_waits_total")
                await self._client.clock.sleep(_PAUSE_SECONDS)

    async def _tell(self, arrived: Sequence[Delivery]) -> list[_Told]:
        told = []
        for delivery in arrived:
            event = await self._read_or_settle(delivery)
            if event is not None:
                self._sink.record(event, topology_kind=self._client.topology_kind)
                told.append((delivery, event))
        return told

    async def _settle_stored(self, held: list[_Told]) -> list[_Told]:
        """Ack what is stored. The rest is released when the store takes other facts, else it stays held."""
        if not held:
            return []
        durability = await self._durability()
        told = {event.envelope.event_id for _, event in held}
        stored = told if durability in KEPT else await self._stored_among(held)
        missing: list[_Told] = []
        for delivery, event in held:
            if event.envelope.event_id in stored:
                await settle(self._client, delivery, Settlement.ACK)
            else:
                missing.append((delivery, event))
        if stored:
            self._pause_seconds = _PAUSE_SECONDS
        elif durability is Durability.PENDING:
            return missing  # the store is away, or refuses everything
        if missing:
            await self._release(missing)
        return []

    async def _release(self, missing: Sequence[_Told]) -> None:
        for delivery, _ in missing:
            self._count("unrecorded", delivery)
        await self._client.clock.sleep(self._pause_seconds)
        self._pause_seconds = min(2 * self._pause_seconds, _LONGEST_PAUSE_SECONDS)
        for delivery, _ in missing:
            if self._client.broker.is_open(delivery):
                await settle(self._client, delivery, Settlement.RELEASE)

    async def _read_or_settle(self, delivery: Delivery) -> Event | None:
        try:
            return self.read(delivery)
        except MalformedMessage as error:
            self._count("malformed", delivery)
            _log.warning("A message on %s is a dead letter: %s", delivery.queue_name, error)
            await settle(self._client, delivery, Settlement.REJECT)
        except Exception as error:  # noqa: BLE001 - counted, logged with its traceback, and the delivery released
            # A mistake of ours must neither lose the message nor stop its neighbours.
            self._count("failed", delivery)
            _log.error(
                "Reading a message on %s failed in relayna itself; it goes back: %s",
                delivery.queue_name,
                traceback_of(error, self._client.redact),
            )
            await release_after_error(self._client, delivery)
        return None

    async def _durability(self) -> Durability:
        try:
            return await self._sink.durable()
        except RecorderClosed:
            return Durability.LOST

    async def _stored_among(self, held: Sequence[_Told]) -> set[EventId]:
        """The ids that their tasks' streams hold already; a stream that cannot be read holds none."""
        told = {event.envelope.event_id for _, event in held}
        recorded: set[EventId] = set()
        for task_id in dict.fromkeys(event.envelope.task_id for _, event in held):
            try:
                recorded |= {one.envelope.event_id for one in await self._sink.read(task_id)}
            except StoreUnreachable:
                break  # nor can any other
            except (StoreError, RecorderClosed) as error:
                _log.warning("Could not look for what was recorded of task %s: %s", task_id, error)
        return told & recorded

    def _count(self, what: str, delivery: Delivery) -> None:
        self._client.counters.increment(f"relayna_{self.counted_as}_{what}_total", queue=delivery.queue_name)
