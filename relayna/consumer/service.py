"""Something that runs until it is stopped, and drains on the way out.

Owns starting, stopping and what a cancelled caller means. What is done meanwhile is each service's own.
"""

from __future__ import annotations

import abc
import asyncio
import logging
from typing import Final

import anyio
from anyio.abc import TaskStatus

__all__ = ["Service"]

_log: Final = logging.getLogger("relayna.consumer")


class Service(abc.ABC):
    """`run()` goes on until `stop()` or until it is cancelled; either way it drains before it returns."""

    drain_seconds: float
    """How long that may take; asked when it begins, so it can be shortened until then."""

    def __init__(self) -> None:
        self._stopping = anyio.Event()
        self._started = False

    def stop(self) -> None:
        """Take no more deliveries; `run()` returns when those at hand have ended."""
        self._stopping.set()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Consume until `stop()` or cancellation. Raises `BrokerError` when it cannot start.

        A `stop()` before it begins ends it at once. It can be run again when it has ended.
        """
        # Deliveries live in a task of our own: a cancelled caller asks us to drain, it does not cut us off.
        # (A shielded scope in the caller's own task does not hold against asyncio's Task.cancel().)
        serving = asyncio.ensure_future(self._serve(task_status))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            self.stop()
            if not self._started:
                serving.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait({serving})
            if not serving.cancelled() and serving.exception() is not None:
                _log.error("A consumer failed while it drained: %s", serving.exception())
            raise
        finally:
            self._stopping, self._started = anyio.Event(), False

    @abc.abstractmethod
    async def _serve(self, task_status: TaskStatus[None]) -> None:
        """Serve until `self._stopping` is set; say when it has started."""

    def _has_started(self, task_status: TaskStatus[None]) -> None:
        self._started = True
        task_status.started()
