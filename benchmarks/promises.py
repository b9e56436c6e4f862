"""What relayna promises of its speed: P1 to P12, in one table. Owns their words; their numbers are in `targets.py`."""

from __future__ import annotations

from typing import Final

__all__ = ["PROMISES"]

PROMISES: Final = {
    "P1": "`record()` on its caller, the store up, slow or down",
    "P2": "a call site with recording off",
    "P3": "sustained events into the store, of one process",
    "P4": "what recording costs a worker",
    "P5": "the RabbitMQ consumer, durable before ack",
    "P6": "replay to graph, from memory",
    "P7": "`GET /executions/{id}/graph`, the whole path",
    "P7b": "the same, beside the earlier implementation",
    "P8": "an unchanged task, `If-None-Match`",
    "P9": "memory in the store",
    "P10": "live: from append to client",
    "P11": "imports",
    "P12": "cost as work grows",
}
"""By their names, in the order in which they are told."""
