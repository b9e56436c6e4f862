"""What RabbitMQ calls a virtual host, in memory: exchanges, queues, and the moves between them.

Owns declaring, routing, expiry and dead-lettering, as plain calls that are told the time. Has no
connections and waits for nothing: that is `broker.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from msgspec import structs

from relayna.consumer.broker import Message
from relayna.consumer.memory.death import DeathReason, is_automatic_cycle, with_death
from relayna.consumer.memory.exchange import MemoryExchange
from relayna.consumer.memory.queue import MemoryQueue, StoredMessage
from relayna.errors import ConfigurationMismatch, NotDeclared, Unroutable
from relayna.instants import Instant
from relayna.topologies.declarations import Binding, Declarations, Exchange, Queue

__all__ = ["MemoryHost"]

_DEFAULT_EXCHANGE: Final = ""


class MemoryHost:
    """Exchanges, queues and every message in them."""

    def __init__(self) -> None:
        self.dropped: Counter[str] = Counter()
        """Messages a queue gave up that no dead-letter queue took, by the name of the queue they left."""
        self._exchanges: dict[str, MemoryExchange] = {}
        self._queues: dict[str, MemoryQueue] = {}
        self._expiring: list[MemoryQueue] = []

    def declare(self, declarations: Declarations) -> None:
        """Make it exist, one by one. Raises `ConfigurationMismatch` or `NotDeclared` at the first that cannot."""
        for exchange in declarations.exchanges:
            self._declare_exchange(exchange)
        for queue in declarations.queues:
            self._declare_queue(queue)
        for binding in declarations.bindings:
            self._bind(binding)

    def queue(self, name: str) -> MemoryQueue:
        """The queue of this name. Raises `NotDeclared`."""
        if name not in self._queues:
            raise NotDeclared("queue", name)
        return self._queues[name]

    def queues(self) -> Iterable[MemoryQueue]:
        """Every queue, in the order of declaration."""
        return self._queues.values()

    def publish(self, message: Message, *, exchange: str, routing_key: str, now: Instant) -> None:
        """Put a copy into every queue that matches. Raises `Unroutable` when none does."""
        queues = self._route(message, exchange, routing_key)
        if not queues:
            raise Unroutable(exchange, routing_key)
        for queue in queues:
            self._put(queue, message, exchange, routing_key, now)

    def acknowledge(self, queue: MemoryQueue) -> None:
        """A message that was handed out is done."""
        queue.forget()
        queue.dispatch()

    def give_back(self, queue: MemoryQueue, messages: Iterable[StoredMessage], now: Instant) -> None:
        """Messages that were handed out and not settled: they wait again, or have come back too often."""
        for stored in messages:
            stored.returns += 1
            limit = queue.declared.delivery_limit
            if limit is not None and stored.returns > limit:
                queue.forget()
                self._dead_letter(queue, stored, "delivery_limit", now)
            else:
                queue.put_back(stored)
        self.expire(now)
        queue.dispatch()

    def reject(self, queue: MemoryQueue, stored: StoredMessage, now: Instant) -> None:
        """A message that was handed out and refused goes to the dead-letter exchange, if there is one."""
        queue.forget()
        self._dead_letter(queue, stored, "rejected", now)
        queue.dispatch()

    def next_expiry(self) -> Instant | None:
        """When the next waiting message expires."""
        expiries = (queue.next_expiry() for queue in self._expiring)
        return min((expiry for expiry in expiries if expiry is not None), default=None)

    def expire(self, now: Instant) -> bool:
        """Dead-letter what has expired by `now`; tell whether anything had.

        Each message moves at the time it expired, so a clock that jumped leaves every message where a
        clock that ticked would have.
        """
        moved = False
        while (expiry := self.next_expiry()) is not None and expiry <= now:
            queue = next(queue for queue in self._expiring if queue.next_expiry() == expiry)
            self._dead_letter(queue, queue.pop_expired(expiry), "expired", expiry)
            moved = True
        return moved

    def _dead_letter(
        self, queue: MemoryQueue, stored: StoredMessage, reason: DeathReason, at: Instant
    ) -> None:
        exchange = queue.declared.dead_letter_exchange
        if exchange is None:
            self.dropped[queue.name] += 1
            return
        headers = with_death(
            stored.message.headers,
            queue_name=queue.name,
            reason=reason,
            exchange=stored.exchange,
            routing_key=stored.routing_key,
            at=at,
        )
        letter = structs.replace(stored.message, headers=headers)
        routing_key = queue.declared.dead_letter_routing_key
        if routing_key is None:
            routing_key = stored.routing_key
        targets = [
            target
            for target in self._route(letter, exchange, routing_key)
            if reason == "rejected" or not is_automatic_cycle(headers, target.name)
        ]
        if not targets:
            self.dropped[queue.name] += 1
        for target in targets:
            self._put(target, letter, exchange, routing_key, at)

    def _put(
        self, queue: MemoryQueue, message: Message, exchange: str, routing_key: str, now: Instant
    ) -> None:
        queue.put(message, exchange=exchange, routing_key=routing_key, now=now)
        queue.dispatch()
        longest = queue.declared.max_length
        while longest is not None and queue.ready > longest:
            queue.drop_oldest()
            self.dropped[queue.name] += 1

    def _route(self, message: Message, exchange: str, routing_key: str) -> list[MemoryQueue]:
        if exchange == _DEFAULT_EXCHANGE:
            return [self._queues[routing_key]] if routing_key in self._queues else []
        if exchange not in self._exchanges:
            return []
        names = self._exchanges[exchange].queues_for(routing_key, message.headers)
        return [self._queues[name] for name in names if name in self._queues]

    def _declare_exchange(self, wanted: Exchange) -> None:
        if wanted.name == _DEFAULT_EXCHANGE:
            raise ConfigurationMismatch(
                wanted.name, "the default exchange is there already and cannot be declared"
            )
        existing = self._exchanges.setdefault(wanted.name, MemoryExchange(wanted))
        _check_same(wanted.name, existing.declared, wanted)

    def _declare_queue(self, wanted: Queue) -> None:
        if wanted.name in self._queues:
            _check_same(wanted.name, self._queues[wanted.name].declared, wanted)
            return
        _check_arguments(wanted)
        queue = self._queues[wanted.name] = MemoryQueue(wanted)
        if wanted.message_ttl_ms is not None:
            self._expiring.append(queue)

    def _bind(self, binding: Binding) -> None:
        self.queue(binding.queue)
        if binding.exchange == _DEFAULT_EXCHANGE:
            raise ConfigurationMismatch(
                binding.exchange, "the default exchange binds every queue by its name"
            )
        if binding.exchange not in self._exchanges:
            raise NotDeclared("exchange", binding.exchange)
        self._exchanges[binding.exchange].bind(binding)


def _check_same(name: str, existing: Exchange | Queue, wanted: Exchange | Queue) -> None:
    differences = [
        f"{field} is {getattr(existing, field)!r}, not {getattr(wanted, field)!r}"
        for field in wanted.__struct_fields__
        if getattr(existing, field) != getattr(wanted, field)
    ]
    if differences:
        raise ConfigurationMismatch(name, ", ".join(differences))


def _check_arguments(queue: Queue) -> None:
    """What RabbitMQ answers with 406 when a queue is declared."""
    problems = {
        "a quorum queue takes no max_priority": queue.kind == "quorum" and queue.max_priority is not None,
        "max_priority is outside 0 to 255": not 0 <= (queue.max_priority or 0) <= 255,
        "a classic queue takes no delivery_limit": queue.kind == "classic"
        and queue.delivery_limit is not None,
        "message_ttl_ms is negative": (queue.message_ttl_ms or 0) < 0,
        "max_length is negative": (queue.max_length or 0) < 0,
        "dead_letter_routing_key needs a dead_letter_exchange": (
            queue.dead_letter_routing_key is not None and queue.dead_letter_exchange is None
        ),
    }
    wrong = [problem for problem, holds in problems.items() if holds]
    if wrong:
        raise ConfigurationMismatch(queue.name, ", ".join(wrong))
