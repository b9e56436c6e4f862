"""Keeps a log open for as long as an app is up.

Owns that a store which does not answer is no reason not to start. Serves nothing.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import anyio

from relayna.clock import Clock, SystemClock
from relayna.errors import ConfigurationError, StoreError
from relayna.streams import Backoff, Log

__all__ = ["open_log"]

_logger = logging.getLogger("relayna.api")


@asynccontextmanager
async def open_log(
    log: Log, *, backoff: Backoff | None = None, clock: Clock | None = None
) -> AsyncIterator[None]:
    """Open the log, and close it at the end. A store that does not answer is tried again in the background.

    Raises what else opening it raises, such as `ShardCountMismatch`.
    """
    async with AsyncExitStack() as opened:
        unanswered = await _try_to_open(log, opened)
        async with anyio.create_task_group() as tasks:
            if unanswered is not None:
                _logger.warning("The log is not open yet, and requests get 503: %s", unanswered)
                tasks.start_soon(_open_later, log, opened, backoff or Backoff(), clock or SystemClock())
            yield
            tasks.cancel_scope.cancel()


async def _try_to_open(log: Log, opened: AsyncExitStack) -> StoreError | None:
    try:
        await opened.enter_async_context(log)
    except StoreError as error:
        return error
    return None


async def _open_later(log: Log, opened: AsyncExitStack, backoff: Backoff, clock: Clock) -> None:
    failures = 1
    try:
        await clock.sleep(backoff.seconds(failures))
        while await _try_to_open(log, opened) is not None:
            failures += 1
            await clock.sleep(backoff.seconds(failures))
    except ConfigurationError as error:  # it will not mend itself, and the app still lives
        _logger.error("The log cannot be opened, and requests get 503: %s", error)
    else:
        _logger.info("The log is open after %d tries", failures + 1)
