"""A client's connection in memory: channels that come and go, and subscriptions that outlive them.

Owns opening and closing channels, settling on them, and the acks that are to be lost. Plain calls that
are told the time; what becomes of messages is decided in `host.py`.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable

from relayna.consumer.broker import Delivery, Settlement
from relayna.consumer.memory.channel import MemoryChannel, MemorySubscription
from relayna.consumer.memory.host import MemoryHost
from relayna.errors import Disconnected
from relayna.instants import Instant

__all__ = ["MemoryConnection"]


class MemoryConnection:
    """Up or down; while it is up, each of its subscriptions has a channel."""

    def __init__(self, host: MemoryHost) -> None:
        self.up = False
        self.acks_to_lose: Counter[str] = Counter()
        self._host = host
        self._numbers = itertools.count(1)
        self._channels: dict[int, MemoryChannel] = {}
        self._subscriptions: list[MemorySubscription] = []

    def come_up(self) -> None:
        """Each subscription goes on, on a new channel."""
        if not self.up:
            self.up = True
            self._open_channels(self._subscriptions)

    def go_down(self, now: Instant) -> None:
        """Every channel closes; subscriptions wait for `come_up`."""
        self.up = False
        self._close(list(self._channels.values()), now)

    def end(self, now: Instant) -> None:
        """Every channel closes and every subscription ends."""
        for subscription in self._subscriptions:
            subscription.end()
        self._subscriptions.clear()
        self.go_down(now)

    def subscribe(self, subscription: MemorySubscription) -> None:
        """Take deliveries from now on."""
        self._subscriptions.append(subscription)
        self._open_channels([subscription])

    def unsubscribe(self, subscription: MemorySubscription, now: Instant) -> None:
        """End the subscription and close its channel: what is unsettled goes back."""
        self._end(subscription)
        self._close(self._channels_of(subscription), now)

    def cancel(self, subscription: MemorySubscription, now: Instant) -> None:
        """End the subscription; untaken deliveries go back, taken ones can still be settled."""
        self._end(subscription)
        for channel in self._channels_of(subscription):
            channel.queue.remove_taker(channel)
            untaken = [channel.settle(delivery.delivery_tag) for delivery in subscription.withdraw()]
            self._host.give_back(channel.queue, filter(None, untaken), now)

    def is_open(self, channel_number: int) -> bool:
        """Whether this channel is open."""
        return channel_number in self._channels

    def settle(self, delivery: Delivery, settlement: Settlement, now: Instant) -> None:
        """End the delivery. Raises `Disconnected` when its channel is closed, or closes because of it."""
        channel = self._channels.get(delivery.channel)
        if channel is None:
            raise Disconnected(f"Channel {delivery.channel} of queue {delivery.queue_name!r}")
        if settlement is Settlement.ACK and self.acks_to_lose[delivery.queue_name]:
            self.acks_to_lose[delivery.queue_name] -= 1
            self._close([channel], now)
            raise Disconnected(f"Channel {channel.number} of queue {delivery.queue_name!r}")
        stored = channel.settle(delivery.delivery_tag)
        if stored is None:
            self._close([channel], now)
            twice = f"on which delivery {delivery.delivery_tag} was settled twice,"
            raise Disconnected(f"Channel {channel.number} of queue {delivery.queue_name!r}, {twice}")
        match settlement:
            case Settlement.ACK:
                self._host.acknowledge(channel.queue)
            case Settlement.RELEASE:
                self._host.give_back(channel.queue, [stored], now)
            case Settlement.REJECT:
                self._host.reject(channel.queue, stored, now)

    def _open_channels(self, subscriptions: Iterable[MemorySubscription]) -> None:
        if not self.up:
            return
        for subscription in subscriptions:
            if not subscription.ended:
                channel = MemoryChannel(next(self._numbers), subscription)
                self._channels[channel.number] = channel
                channel.queue.add_taker(channel)
                channel.queue.dispatch()

    def _close(self, channels: list[MemoryChannel], now: Instant) -> None:
        # All stop taking before the first gives back: nothing is handed to a channel about to close.
        for channel in channels:
            channel.queue.remove_taker(channel)
            del self._channels[channel.number]
        for channel in channels:
            channel.subscription.withdraw()
            self._host.give_back(channel.queue, channel.settle_all(), now)
        self._open_channels(channel.subscription for channel in channels)

    def _channels_of(self, subscription: MemorySubscription) -> list[MemoryChannel]:
        return [channel for channel in self._channels.values() if channel.subscription is subscription]

    def _end(self, subscription: MemorySubscription) -> None:
        subscription.end()
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
