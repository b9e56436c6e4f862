"""The broker in this process's memory: for tests, demonstrations and use with no server at all.

Owns confirms, the alarm that moves expired messages, the faults a test can ask for and the ways to
wait for something. Channels live in `connection.py`, messages in `host.py`. Keeps nothing
beyond the object's life, and talks to nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from types import TracebackType
from typing import Self

import anyio
import anyio.lowlevel

from relayna.clock import Clock, SystemClock
from relayna.consumer.broker import Delivery, Message, Settlement
from relayna.consumer.memory.channel import MemorySubscription
from relayna.consumer.memory.connection import MemoryConnection
from relayna.consumer.memory.host import MemoryHost
from relayna.consumer.memory.message import check_short_string, copy_message
from relayna.consumer.memory.queue import MemoryQueue
from relayna.errors import Disconnected, InvalidSetting, OutcomeUnknown
from relayna.instants import Instant
from relayna.topologies.declarations import Declarations

__all__ = ["MemoryBroker"]

_CONNECTION = "The connection to the memory broker"


class MemoryBroker:
    """A `Broker` in memory, which behaves as RabbitMQ does wherever relayna can see the difference.

    Everything happens on the one event loop, and in the one thread, that entered it. Exchanges, queues and
    messages outlive the `async with`, so the broker can be left and entered again; messages expire by
    `clock`, so a `FrozenClock` decides when a retry comes back.

    Faults, to be asked for in tests and demonstrations:
    - `lose_acks`: the next acks of a queue are lost together with their channel. `settle` raises
      `Disconnected`, and the broker, which never saw the ack, hands the message out again.
    - `lose_confirms`: the next messages reach their queues, and `publish` raises `OutcomeUnknown`.
    - `disconnect` and `reconnect`: all channels drop, what was unsettled goes back, and until `reconnect`
      everything that needs a connection raises `Disconnected`. Subscriptions then go on by themselves.

    To look and to wait: `depth`, `unsettled`, `dropped`; `wait_until`, `wait_until_empty`, `idle`.
    """

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._host = MemoryHost()
        self._connection = MemoryConnection(self._host)
        self._users = 0
        self._consumed: set[str] = set()
        # Of no task group: its users come and go in tasks of their own, in any order.
        self._ringing: set[asyncio.Task[None]] = set()
        self._outage = False
        self._confirms_to_lose = 0
        self._alarm: Instant | None = None
        self._change = anyio.Event()

    async def __aenter__(self) -> Self:
        """Connect; several users may enter, and it closes with the last. Raises `Disconnected` in an outage."""
        if self._outage:
            raise Disconnected(_CONNECTION)
        self._users += 1
        if self._users == 1:
            with self._acting():
                self._connection.come_up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close every channel; unsettled deliveries go back to their queues and iterations end."""
        self._users -= 1
        if self._users:
            return
        with self._acting():
            self._connection.end(self._clock.now())
        self._alarm = None
        ringing, self._ringing = self._ringing, set()
        for alarm in ringing:
            alarm.cancel()
        await asyncio.gather(*ringing, return_exceptions=True)

    async def declare(self, declarations: Declarations) -> None:
        """Make all of it exist, up to the first thing that cannot.

        Raises `ConfigurationMismatch` for what exists with other arguments and what RabbitMQ refuses
        (406), `NotDeclared` for a binding of something that is not there, and `Disconnected`.
        """
        await anyio.lowlevel.checkpoint()
        self._check_connected()
        with self._acting() as host:
            host.declare(declarations)

    async def publish(
        self, message: Message, *, exchange: str, routing_key: str, confirm_timeout: float = 10.0
    ) -> None:
        """Return when the message is in every queue that matches. Never waits for `confirm_timeout`.

        Raises `Unroutable` when none matches or the exchange does not exist, `InvalidMessage` for what AMQP
        cannot carry, `OutcomeUnknown` when `lose_confirms` says so, and `Disconnected` during an outage, at once:
        it ends when the test says so, and no time would pass in between.
        """
        await anyio.lowlevel.checkpoint()
        self._check_connected()
        check_short_string("exchange", exchange)
        check_short_string("routing_key", routing_key)
        own = copy_message(message)
        with self._acting() as host:
            host.publish(own, exchange=exchange, routing_key=routing_key, now=self._clock.now())
        if self._confirms_to_lose:
            self._confirms_to_lose -= 1
            raise OutcomeUnknown(exchange, routing_key, confirm_timeout)

    def consume(self, queue_name: str, *, prefetch: int) -> AbstractAsyncContextManager[MemorySubscription]:
        """Take deliveries of the queue. Leaving the context closes the channel: what is unsettled goes back.

        Entering raises `NotDeclared` when there is no such queue, `Disconnected` during an outage, and
        `InvalidSetting` for a prefetch below 1, which AMQP would take for "no bound".
        """
        return self._consume(queue_name, prefetch)

    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        """End the delivery.

        Raises `Disconnected` when its channel is closed. Settling a delivery twice closes the channel, as
        RabbitMQ closes it (406, unknown delivery tag), and raises `Disconnected` too.
        """
        await anyio.lowlevel.checkpoint()
        with self._acting():
            self._connection.settle(delivery, settlement, self._clock.now())

    def is_open(self, delivery: Delivery) -> bool:
        """Whether the channel that handed it out is open."""
        return self._connection.is_open(delivery.channel)

    def lose_acks(self, queue_name: str, count: int = 1) -> None:
        """Lose the next `count` acks of the queue's deliveries, each with its channel."""
        self._connection.acks_to_lose[self._host.queue(queue_name).name] += count

    def lose_confirms(self, count: int = 1) -> None:
        """Lose the confirms of the next `count` messages that are routed."""
        self._confirms_to_lose += count

    def disconnect(self) -> None:
        """Drop all channels, and let nobody in until `reconnect`."""
        self._outage = True
        with self._acting():
            self._connection.go_down(self._clock.now())

    def reconnect(self) -> None:
        """End the outage: each subscription goes on, on a new channel."""
        self._outage = False
        if self._users:
            with self._acting():
                self._connection.come_up()

    def depth(self, queue_name: str) -> int:
        """How many messages wait in the queue. Raises `NotDeclared`."""
        self._expire()
        return self._host.queue(queue_name).ready

    def unsettled(self, queue_name: str) -> int:
        """How many messages of the queue are handed out and not settled. Raises `NotDeclared`."""
        self._expire()
        return self._host.queue(queue_name).unsettled

    def dropped(self, queue_name: str) -> int:
        """How many messages left the queue for nowhere: given up, and no dead-letter queue took them."""
        self._expire()
        return self._host.dropped[self._host.queue(queue_name).name]

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Return when the condition, asked again after each change in the broker, holds."""
        await anyio.lowlevel.checkpoint()
        self._expire()
        while not condition():
            await self._change.wait()

    async def wait_until_empty(self, *queue_names: str) -> None:
        """Return when nothing waits in these queues and nothing of them is unsettled."""
        queues = [self._host.queue(name) for name in queue_names]
        await self.wait_until(lambda: not any(queue.ready or queue.unsettled for queue in queues))

    async def idle(self, *, resting: Collection[str] = (), ignore_delayed: bool = False) -> None:
        """Return when all work is done: nothing is unsettled, and nothing waits to be taken.

        Queues that nobody has consumed may keep their messages (statuses, dead letters), and so may those
        in `resting`; but messages that wait in a queue with a time to live come back, so they count, unless
        `ignore_delayed`.
        """

        def busy(queue: MemoryQueue) -> bool:
            comes_back = queue.declared.message_ttl_ms is not None and not ignore_delayed
            waits = queue.ready and (comes_back or queue.name in self._consumed)
            return queue.name not in resting and bool(queue.unsettled or waits)

        await self.wait_until(lambda: not any(map(busy, self._host.queues())))

    @asynccontextmanager
    async def _consume(self, queue_name: str, prefetch: int) -> AsyncIterator[MemorySubscription]:
        if prefetch < 1:
            raise InvalidSetting("prefetch", "argument", f"{prefetch} is less than 1")
        await anyio.lowlevel.checkpoint()
        self._check_connected()
        subscription = MemorySubscription(self._host.queue(queue_name), prefetch, self._cancel)
        self._consumed.add(queue_name)
        with self._acting():
            self._connection.subscribe(subscription)
        try:
            yield subscription
        finally:
            with self._acting():
                self._connection.unsubscribe(subscription, self._clock.now())

    async def _cancel(self, subscription: MemorySubscription) -> None:
        await anyio.lowlevel.checkpoint()
        with self._acting():
            self._connection.cancel(subscription, self._clock.now())

    def _check_connected(self) -> None:
        if not self._connection.up:
            raise Disconnected(_CONNECTION)

    @contextmanager
    def _acting(self) -> Iterator[MemoryHost]:
        """Around every change: what is due expires before and after, and those who wait look again."""
        self._host.expire(self._clock.now())
        try:
            yield self._host
        finally:
            self._host.expire(self._clock.now())
            self._set_alarm()
            self._change.set()
            self._change = anyio.Event()

    def _expire(self) -> None:
        # No `_acting`: a look that changes nothing must wake nobody, or two who wait would wake each other.
        if self._host.expire(self._clock.now()):
            self._change.set()
            self._change = anyio.Event()

    def _set_alarm(self) -> None:
        expiry = self._host.next_expiry()
        if self._users and expiry is not None and (self._alarm is None or expiry < self._alarm):
            self._alarm = expiry
            alarm = asyncio.get_running_loop().create_task(self._ring(expiry))
            self._ringing.add(alarm)
            alarm.add_done_callback(self._ringing.discard)

    async def _ring(self, at: Instant) -> None:
        await self._clock.sleep(max(0, at - self._clock.now()) / 1_000_000)
        if self._alarm == at:
            self._alarm = None
        with self._acting():
            pass
