"""What every topology has: a kind, where it lives and its common settings. Owns no variant.

A topology is plain data, checked when it is made. What it means for a broker is told by
`relayna.topologies.routes`; each variant has a file of its own and a line in `registry.py`.
"""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias, get_args

from msgspec import Struct
from msgspec.structs import force_setattr

from relayna.topologies.amqp_url import check_amqp_url, masked_amqp_url
from relayna.topologies.checks import as_tuple, check_count, check_distinct, check_name, check_queue_name
from relayna.topologies.naming import LONGEST_STATUS_EXCHANGE_BYTES

__all__ = ["DEFAULT_TERMINAL_STATUSES", "TOPOLOGY_KINDS", "Route", "Topology", "TopologyKind"]

TopologyKind: TypeAlias = Literal[
    "shared_tasks_shared_status",
    "routed_tasks_shared_status",
    "shared_tasks_shared_status_sharded_aggregation",
    "routed_tasks_shared_status_sharded_aggregation",
    "shared_status_workflow",
]

TOPOLOGY_KINDS: Final[tuple[TopologyKind, ...]] = get_args(TopologyKind)

DEFAULT_TERMINAL_STATUSES: Final = ("completed", "failed", "dead_lettered", "cancelled")
"""Statuses after which a task is over, in every topology."""


class Route(Struct, frozen=True):
    """Where a message is published. The exchange `""` is the default one, which routes by queue name."""

    exchange: str
    routing_key: str


class Topology(Struct, frozen=True, kw_only=True):
    """What all variants have in common. Raises `InvalidTopology` when it contradicts itself."""

    rabbitmq_url: str
    """`amqp://` or `amqps://`; its credentials are never shown."""
    status_exchange: str
    """A topic exchange: statuses go here, with the task id as routing key."""
    status_queue: str
    """Gets every message of the status exchange."""
    dead_letter_exchange: str | None = None
    """A direct exchange through which given-up messages go; without one, one named after the status exchange."""
    prefetch_count: int = 1
    """Messages a consumer may hold unsettled, unless it asks for another number."""
    delivery_limit: int = 100
    """Deliveries of one message after which the broker gives up on it (quorum queues only)."""
    max_priority: int | None = None
    """Priorities 0 to this on the queues of work, which are then classic ones."""
    terminal_statuses: tuple[str, ...] = ()
    """Statuses that end a task here, beside the usual ones."""

    def __post_init__(self) -> None:
        """Check the common fields; a variant checks its own after this."""
        check_amqp_url("rabbitmq_url", self.rabbitmq_url)
        check_name("status_exchange", self.status_exchange, longest=LONGEST_STATUS_EXCHANGE_BYTES)
        check_queue_name("status_queue", self.status_queue)
        if self.dead_letter_exchange is not None:
            check_name("dead_letter_exchange", self.dead_letter_exchange)
        check_count("prefetch_count", self.prefetch_count, least=1, most=65_535)
        check_count("delivery_limit", self.delivery_limit, least=1, most=2**31 - 1)
        if self.max_priority is not None:
            check_count("max_priority", self.max_priority, least=1, most=255)
        force_setattr(self, "terminal_statuses", as_tuple("terminal_statuses", self.terminal_statuses))
        for status in self.terminal_statuses:
            check_name("terminal_statuses", status)
        check_distinct("terminal_statuses", "status", self.terminal_statuses)

    def __rich_repr__(self) -> list[tuple[str, Any]]:  # Any: msgspec's own signature
        """Fields as (name, value), the URL without its credentials."""
        shown = {name: getattr(self, name) for name in self.__struct_fields__}
        return list({**shown, "rabbitmq_url": masked_amqp_url(self.rabbitmq_url)}.items())

    def __repr__(self) -> str:
        """As usual, the URL without its credentials: topologies end up in logs and tracebacks."""
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({fields})"
