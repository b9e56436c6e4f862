"""What a broker must have before messages flow, as plain data: exchanges, queues and bindings.

Owns the shapes, which any broker can carry out.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

__all__ = ["Binding", "Declarations", "Exchange", "Queue"]


class Exchange(Struct, frozen=True, kw_only=True):
    """A durable exchange."""

    name: str
    kind: Literal["direct", "topic", "fanout", "headers"] = "direct"


class Queue(Struct, frozen=True, kw_only=True):
    """A durable queue. Quorum by default; `max_priority` needs a classic one."""

    name: str
    kind: Literal["quorum", "classic"] = "quorum"
    message_ttl_ms: int | None = None
    """A message that waits longer is dead-lettered: how retry queues wait."""
    dead_letter_exchange: str | None = None
    """Where given-up messages go; `""` is the default exchange, which routes by queue name."""
    dead_letter_routing_key: str | None = None
    delivery_limit: int | None = None
    """Deliveries after which the broker itself gives up; only with a dead-letter exchange."""
    max_priority: int | None = None
    max_length: int | None = None
    """Messages it keeps at most; the oldest is dropped for a new one. Only without a dead-letter exchange."""


class Binding(Struct, frozen=True, kw_only=True):
    """Messages of `exchange` whose routing key matches go to `queue`."""

    queue: str
    exchange: str
    routing_key: str = ""
    arguments: tuple[tuple[str, str | int | bool], ...] = ()
    """What a headers exchange looks for, and `("x-match", "all")` or `("x-match", "any")`."""


class Declarations(Struct, frozen=True, kw_only=True):
    """All of it, in the order in which it can be declared."""

    exchanges: tuple[Exchange, ...] = ()
    queues: tuple[Queue, ...] = ()
    bindings: tuple[Binding, ...] = ()

    def __add__(self, other: Declarations) -> Declarations:
        """Both; what both name in the same way is there once."""
        return Declarations(
            exchanges=tuple(dict.fromkeys(self.exchanges + other.exchanges)),
            queues=tuple(dict.fromkeys(self.queues + other.queues)),
            bindings=tuple(dict.fromkeys(self.bindings + other.bindings)),
        )

    def of_queue(self, name: str) -> Declarations:
        """What of it the queue of this name needs to exist and to be reached."""
        bindings = tuple(binding for binding in self.bindings if binding.queue == name)
        reached_by = {binding.exchange for binding in bindings}
        return Declarations(
            exchanges=tuple(exchange for exchange in self.exchanges if exchange.name in reached_by),
            queues=tuple(queue for queue in self.queues if queue.name == name),
            bindings=bindings,
        )

    def without(self, other: Declarations) -> Declarations:
        """What of it stays when queues and exchanges of those names are gone."""
        queues = {queue.name for queue in other.queues}
        exchanges = {exchange.name for exchange in other.exchanges}
        return Declarations(
            exchanges=tuple(one for one in self.exchanges if one.name not in exchanges),
            queues=tuple(one for one in self.queues if one.name not in queues),
            bindings=tuple(
                one for one in self.bindings if one.queue not in queues and one.exchange not in exchanges
            ),
        )
