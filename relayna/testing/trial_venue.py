"""Where a trial takes place: in memory, or on a RabbitMQ that may serve others at the same time.

Owns the names that a topology has there, and that nothing stays behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import anyio
from msgspec.structs import replace

from relayna.consumer import Broker, MemoryBroker
from relayna.errors import BrokerError
from relayna.mint import RandomMint
from relayna.topologies import Declarations, Topology, renamed

if TYPE_CHECKING:
    from relayna.consumer.rabbitmq import RabbitMQBroker

__all__ = ["TrialVenue", "trial_venue"]

_SECONDS_TO_CONNECT: Final = 10.0
_SECONDS_TO_CLEAR: Final = 10.0


class TrialVenue(Protocol):
    """A broker, and the manners that it asks for."""

    @property
    def broker(self) -> Broker:
        """The broker; it is the caller's to enter."""

    def placed(self, topology: Topology) -> Topology:
        """The topology as it is called here. Raises `InvalidTopology`."""

    async def clear(self, declared: Declarations) -> None:
        """Leave nothing of it behind."""


def trial_venue(amqp_url: str | None) -> TrialVenue:
    """The RabbitMQ at this URL, else one in memory. Raises `InvalidSetting`."""
    return _InMemory() if amqp_url is None else _OnRabbitMQ(amqp_url)


class _InMemory:
    """All of it ends with the trial, so names are as they come."""

    def __init__(self) -> None:
        self.broker = MemoryBroker()

    def placed(self, topology: Topology) -> Topology:
        """The same."""
        return topology

    async def clear(self, declared: Declarations) -> None:
        """There is nobody to whom it could be left."""


class _OnRabbitMQ:
    """Names that no other trial has, deleted at the end."""

    def __init__(self, url: str) -> None:
        from relayna.consumer.rabbitmq import RabbitMQBroker  # the driver takes time to load

        self.broker: RabbitMQBroker = RabbitMQBroker(url, connect_timeout=_SECONDS_TO_CONNECT)
        self._url = url
        self._suffix = f".trial-{RandomMint().producer()}"

    def placed(self, topology: Topology) -> Topology:
        """The topology under names of this trial."""
        return replace(renamed(topology, suffix=self._suffix), rabbitmq_url=self._url)

    async def clear(self, declared: Declarations) -> None:
        """Delete it, also when cancelled. Raises `BrokerError`, or `TimeoutError` after 10 s."""
        try:
            with anyio.fail_after(_SECONDS_TO_CLEAR, shield=True):
                await self.broker.delete(declared)
        except (BrokerError, TimeoutError) as error:
            queues = ", ".join(queue.name for queue in declared.queues)
            error.add_note(f"Some of these queues may be left on the broker, and their exchanges: {queues}")
            raise
