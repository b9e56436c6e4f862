"""Calls of the driver, kept apart from whoever asked for them.

Owns the difference between being cancelled and having lost the connection: when a connection goes, the
driver ends the calls that wait on it with `CancelledError`, or with a bare `Exception`, which in the
caller's own task would look as if somebody had cancelled that. Decides nothing about trying again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

import anyio

from relayna.consumer.rabbitmq.failures import GivenUp

__all__ = ["answered", "in_place", "isolated"]

_SECONDS_TO_ANSWER = 30.0

T = TypeVar("T")


async def isolated(call: Awaitable[T]) -> T:
    """The result of the call. Raises `GivenUp` when the driver ended it; cancelling us cancels it."""
    task = asyncio.ensure_future(call)
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        # Not waited for: what the driver still wants to say may never fit into a blocked connection.
        task.cancel()
        task.add_done_callback(_look_at)
        raise
    if task.cancelled():
        raise GivenUp
    error = task.exception()
    if error is not None and type(error) is Exception:
        raise GivenUp from error
    return task.result()


async def in_place(call: Awaitable[T]) -> T:
    """As `isolated`, without a task of its own: for calls in which nothing is awaited once they are cancelled.

    Who ended the call is seen by whether our task was asked to end meanwhile.
    """
    asked = _times_asked_to_end()
    try:
        return await call
    except asyncio.CancelledError as error:
        if _times_asked_to_end() > asked:
            raise
        raise GivenUp from error
    except Exception as error:
        if type(error) is Exception:
            raise GivenUp from error
        raise


async def answered(call: Awaitable[T]) -> T:
    """As `isolated`, and `GivenUp` when the broker has not answered within 30 s."""
    with anyio.move_on_after(_SECONDS_TO_ANSWER):
        return await isolated(call)
    raise GivenUp


def _times_asked_to_end() -> int:
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


def _look_at(task: asyncio.Task[Any]) -> None:  # Any: the result is nobody's
    # Or asyncio complains that nobody asked for its error.
    if not task.cancelled():
        task.exception()
