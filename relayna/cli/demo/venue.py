"""Where the demonstration is played: a broker, and what a scenario asks of it beyond that.

Owns the protocol and the venue in memory. `rabbitmq_venue.py` is the other one, imported only when asked for.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

from relayna.cli.demo.lost_acks import LostAcks
from relayna.consumer import Broker, Delivery, MemoryBroker, Settlement
from relayna.topologies import Declarations, Topology

__all__ = ["MemoryVenue", "TopologyT", "Venue"]

TopologyT = TypeVar("TopologyT", bound=Topology)


class Venue(Broker, Protocol):
    """A broker to play on."""

    def placed(self, topology: TopologyT) -> TopologyT:
        """The topology as it is called here."""

    def lose_ack(self, task_id: str) -> None:
        """Lose the next ack of this task's messages together with its channel: it is handed out again."""

    async def clear(self, declared: Declarations) -> None:
        """Leave nothing of it behind, as far as that is possible."""


class MemoryVenue(MemoryBroker):
    """In memory: names are as the scenarios give them, and all of it ends with the process."""

    def __init__(self) -> None:
        super().__init__()
        self._lost_acks = LostAcks()

    def placed(self, topology: TopologyT) -> TopologyT:
        """The same."""
        return topology

    def lose_ack(self, task_id: str) -> None:
        """Lose the next ack of this task's messages together with its channel."""
        self._lost_acks.add(task_id)

    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        """As any broker, but for the acks to lose."""
        if self._lost_acks.takes(delivery, settlement):
            self.lose_acks(delivery.queue_name)
        await super().settle(delivery, settlement)

    async def clear(self, declared: Declarations) -> None:
        """Nothing outlives the process anyway."""
