"""Durability for many attempts at a time: those that ask in one turn of the event loop wait for one promise.

Owns the sharing. Where facts are, and for how long anybody waits, is the sink's to say (docs/decisions/0019).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from relayna.errors import RecorderClosed
from relayna.streams.sink import Durability, ObservationSink

__all__ = ["SharedPromise"]


class SharedPromise:
    """One consumer's, about its sink. For one event loop at a time."""

    def __init__(self, sink: ObservationSink) -> None:
        self._sink = sink
        self._waiting: list[asyncio.Future[Durability]] = []
        self._is_to_be_shown = False
        self._asking: set[asyncio.Task[None]] = set()

    async def durable(self) -> Durability:
        """As the sink says, of all that was recorded so far. Raises what the sink raises."""
        told: asyncio.Future[Durability] = asyncio.get_running_loop().create_future()
        self._ask_soon()
        self._waiting.append(told)
        return await told

    def show(self) -> None:
        """Have what was recorded so far stored soon; nobody waits for it."""
        self._ask_soon()
        self._is_to_be_shown = True

    def _ask_soon(self) -> None:
        if self._waiting or self._is_to_be_shown:
            return
        # A task begins with the next turn: whatever is recorded until then is covered, whoever asks by then.
        asking = asyncio.create_task(self._ask())
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)

    async def _ask(self) -> None:
        waiting, self._waiting = self._waiting, []
        is_to_be_shown, self._is_to_be_shown = self._is_to_be_shown, False
        try:
            if is_to_be_shown:
                with contextlib.suppress(RecorderClosed):  # each attempt's end counts it
                    await self._sink.durable(budget_seconds=0)
            if waiting:
                await self._tell_all(waiting)
        except Exception as error:
            for told in waiting:
                if not told.done():
                    told.set_exception(error)
            if not waiting:
                raise
        finally:
            for told in waiting:
                told.cancel()  # only when this task was: with the event loop, as those who wait

    async def _tell_all(self, waiting: list[asyncio.Future[Durability]]) -> None:
        answer = await self._sink.durable()
        here = [told for told in waiting if not told.done()]
        if answer is Durability.LOST and len(here) > 1:
            # A sink tells of a loss once, to whoever asks first; the others ask again.
            _tell(here[:1], answer)
            answer = await self._sink.durable()
        _tell(waiting, answer)


def _tell(waiting: Sequence[asyncio.Future[Durability]], answer: Durability) -> None:
    for told in waiting:
        if not told.done():
            told.set_result(answer)
