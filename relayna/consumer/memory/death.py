"""The `x-death` header: what a message's dead-lettering leaves on it, as RabbitMQ writes it.

Owns the shape of the entries and the rule that stops endless cycles. Pure: moves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from relayna.instants import Instant

__all__ = ["DeathReason", "is_automatic_cycle", "with_death"]

DeathReason: TypeAlias = Literal["rejected", "expired", "delivery_limit"]


def with_death(
    headers: Mapping[str, Any],  # Any: AMQP header values
    *,
    queue_name: str,
    reason: DeathReason,
    exchange: str,
    routing_key: str,
    at: Instant,
) -> dict[str, Any]:
    """The headers with this death told first. Deaths in one queue for one reason share an entry and a count.

    `exchange` and `routing_key` are those the message came to the queue by. `time` is that of the
    first of the deaths counted (https://www.rabbitmq.com/docs/dlx).
    """
    deaths = _deaths(headers)
    same = [death for death in deaths if death.get("queue") == queue_name and death.get("reason") == reason]
    others = [death for death in deaths if death not in same]
    entry: dict[str, Any] = {
        "queue": queue_name,
        "reason": reason,
        "count": 1,
        "exchange": exchange,
        "routing-keys": [routing_key],
        "time": datetime.fromtimestamp(at // 1_000_000, tz=UTC),
    }
    if same:
        entry = {**same[0], "count": _count(same[0]) + 1}
    first = {
        "x-first-death-queue": queue_name,
        "x-first-death-reason": reason,
        "x-first-death-exchange": exchange,
    }
    return {**first, **headers, "x-death": [entry, *others]}


def is_automatic_cycle(headers: Mapping[str, Any], queue_name: str) -> bool:
    """Whether the message was dead-lettered from this queue before, and nobody rejected it since.

    RabbitMQ drops such a message instead of letting it go round for ever
    (https://www.rabbitmq.com/docs/dlx).
    """
    rejected = False
    for death in _deaths(headers):
        rejected = rejected or death.get("reason") == "rejected"
        if death.get("queue") == queue_name:
            return not rejected
    return False


def _deaths(headers: Mapping[str, Any]) -> list[dict[str, Any]]:
    recorded = headers.get("x-death")
    # Anyone can publish a header of this name: what is not shaped like a death is not one.
    return [death for death in recorded if isinstance(death, dict)] if isinstance(recorded, list) else []


def _count(death: Mapping[str, Any]) -> int:
    count = death.get("count")
    return count if isinstance(count, int) else 1
