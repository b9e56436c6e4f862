"""Which acks a venue is to lose. Owns the choice; how one is lost is the venue's affair."""

from __future__ import annotations

from relayna.consumer import Delivery, Settlement
from relayna.consumer.messages.causal_headers import read_headers

__all__ = ["LostAcks"]


class LostAcks:
    """Tasks whose next ack gets lost. By task: the ack of a neighbour may still be under way."""

    def __init__(self) -> None:
        self._task_ids: set[str] = set()

    def add(self, task_id: str) -> None:
        """Lose the next ack of this task's messages."""
        self._task_ids.add(task_id)

    def takes(self, delivery: Delivery, settlement: Settlement) -> bool:
        """Whether this settlement is one to lose; it is so once."""
        task_id = read_headers(delivery.message.headers).task_id
        if settlement is not Settlement.ACK or task_id not in self._task_ids:
            return False
        self._task_ids.remove(task_id)
        return True
