"""Durability for many attempts at a time: those that ask in one turn of the event loop wait for one promise.

Owns the sharing. Where facts are, and for how long anybody waits, is the sink's to say (docs/decisions/0019).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from relayna.streams.sink import Durability, ObservationSink

__all__ = ["SharedPromise"]


class SharedPromise:
    """One consumer's, about its sink. For one event loop at a time."""

    def __init__(self, sink: ObservationSink) -> None:
        self._sink = sink
        self._waiting: list[asyncio.Future[Durability]] = []
        self._asking: set[asyncio.Task[None]] = set()

    async def durable(self) -> Durability:
        """As the sink says, of all that was recorded so far. Raises what the sink raises."""
        told: asyncio.Future[Durability] = asyncio.get_running_loop().create_future()
        self._waiting.append(told)
        if len(self._waiting) == 1:
            # A task begins with the next turn: whatever is recorded until then is covered, whoever asks by then.
            asking = asyncio.create_task(self._ask())
            self._asking.add(asking)
            asking.add_done_callback(self._asking.discard)
        return await told

    async def _ask(self) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            answer = await self._sink.durable()
            if answer is Durability.LOST and len(waiting) > 1:
                # A sink tells of a loss once, to whoever asks first; the others ask again.
                _tell(waiting[:1], answer)
                answer = await self._sink.durable()
            _tell(waiting, answer)
        except Exception as error:  # noqa: BLE001 - raised where it was asked for, in each attempt
            for told in waiting:
                if not told.done():
                    told.set_exception(error)
        finally:
            for told in waiting:
                told.cancel()  # only when this task was: with the event loop, as those who wait


def _tell(waiting: Sequence[asyncio.Future[Durability]], answer: Durability) -> None:
    for told in waiting:
        if not told.done():
            told.set_result(answer)
