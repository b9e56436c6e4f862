"""The demonstration on a real RabbitMQ: names of this run's own, which are gone afterwards.

Owns the names and the clearing up. Imported only when it is asked for: the driver takes time to load.
"""

from __future__ import annotations

from typing import Final

import click
from msgspec.structs import replace

from relayna.cli.demo.lost_acks import LostAcks
from relayna.cli.demo.venue import TopologyT
from relayna.consumer import Delivery, Settlement
from relayna.consumer.rabbitmq import RabbitMQBroker
from relayna.errors import BrokerError
from relayna.topologies import Declarations, renamed

__all__ = ["RabbitMQVenue"]

_SECONDS_TO_CONNECT: Final = 10.0


class RabbitMQVenue(RabbitMQBroker):
    """Entering raises `BrokerRefused`, and `BrokerUnreachable` when nobody answers within 10 s."""

    def __init__(self, url: str, *, suffix: str) -> None:
        """`suffix` ends the name of every exchange and queue. Raises `InvalidSetting`."""
        super().__init__(url, connect_timeout=_SECONDS_TO_CONNECT)
        self._url = url
        self._suffix = suffix
        self._lost_acks = LostAcks()

    def placed(self, topology: TopologyT) -> TopologyT:
        """The topology here, each exchange and queue under a name of this run."""
        return replace(renamed(topology, suffix=self._suffix), rabbitmq_url=self._url)

    def lose_ack(self, task_id: str) -> None:
        """Lose the next ack of this task's messages together with its channel."""
        self._lost_acks.add(task_id)

    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        """As any broker, but for the acks to lose."""
        if self._lost_acks.takes(delivery, settlement):
            await self.close_channel_of(delivery)
        await super().settle(delivery, settlement)

    async def clear(self, declared: Declarations) -> None:
        """Delete it; when that cannot be, say what is left behind."""
        try:
            await self.delete(declared)
        except BrokerError as error:
            names = ", ".join(queue.name for queue in declared.queues)
            click.echo(f"relayna: Some of these queues may be left on the broker: {names}. {error}", err=True)
