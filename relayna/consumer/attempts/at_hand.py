"""What one consumer is handling at this moment, so that two copies of a message do not run side by side.

Owns the register of it, for this process; what other processes did is known to the log alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import anyio

from relayna.consumer.broker import Delivery
from relayna.consumer.messages.incoming import DeliveryIdentity, Incoming
from relayna.ids import AttemptId

__all__ = ["AtHand", "Handling"]


class Handling:
    """One delivery that is being handled."""

    def __init__(
        self,
        attempt_id: AttemptId,
        incoming: Incoming[Any],  # Any: whichever envelope
        earlier: Sequence[Handling] = (),
    ) -> None:
        self.attempt_id = attempt_id
        self.incoming = incoming
        self.earlier = earlier
        """Copies of the same message whose handling began before and has not ended yet."""
        self.decided = False
        """Its handler has ended, and what follows is being carried out."""
        self._ended = False
        self._end: anyio.Event | None = None

    async def wait_for_earlier(self, is_open: Callable[[Delivery], bool]) -> None:
        """Return when the earlier ones have ended.

        Nobody waits for a handler whose delivery has lost its channel: it will be given back.
        """
        for handling in self.earlier:
            if handling.decided or is_open(handling.incoming.delivery):
                await handling.wait()

    async def wait(self) -> None:
        """Return when it has ended."""
        if not self._ended:
            self._end = self._end or anyio.Event()
            await self._end.wait()

    def end(self) -> None:
        """It has ended: let those go on that wait for it."""
        self._ended = True
        if self._end is not None:
            self._end.set()


class AtHand:
    """The deliveries of one consumer, by identity; those without one are never taken for repeats."""

    def __init__(self) -> None:
        self._handlings: dict[DeliveryIdentity, tuple[Handling, ...]] = {}

    def begin(self, attempt_id: AttemptId, incoming: Incoming[Any]) -> Handling:  # Any: whichever envelope
        """Enter a delivery into the register; take it out with `end`."""
        if incoming.identity is None:
            return Handling(attempt_id, incoming)
        present = self._handlings.get(incoming.identity, ())
        # Two messages that only share an id, by a foreign publisher's choice, are two messages.
        copies = [one for one in present if incoming.repeated or one.incoming.repeated]
        handling = Handling(attempt_id, incoming, copies)
        self._handlings[incoming.identity] = (*present, handling)
        return handling

    def end(self, handling: Handling) -> None:
        """Take it out again, and let those go on that wait for it."""
        handling.end()
        identity = handling.incoming.identity
        if identity is None:
            return
        left = tuple(one for one in self._handlings[identity] if one is not handling)
        if left:
            self._handlings[identity] = left
        else:
            del self._handlings[identity]
