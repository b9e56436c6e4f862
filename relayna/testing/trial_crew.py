"""The consumers that work in a trial: they run while a test's block does, and not longer.

Owns starting and stopping them, how long their retries wait, and that a failed test neither waits for them nor
is hidden behind them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio
from anyio.abc import TaskStatus
from msgspec.structs import replace

from relayna.consumer.consumer import Consumer
from relayna.consumer.service import Service
from relayna.errors import InvalidSetting

__all__ = ["TrialCrew"]


class TrialCrew:
    """Those that work at the moment."""

    def __init__(self, *, retry_speed: int) -> None:
        """Retries wait a `retry_speed`th of what their policy says. Raises `InvalidSetting`."""
        if retry_speed < 1:
            problem = f"{retry_speed} must be at least 1, which lets retries wait as long as they say"
            raise InvalidSetting("retry_speed", "argument", problem)
        self._retry_speed = retry_speed
        self._working: dict[Service, None] = {}

    def names(self) -> list[str]:
        """The kinds of those that work, in the order in which they began."""
        return [type(one).__name__ for one in self._working]

    @asynccontextmanager
    async def working(self, *consumers: Service) -> AsyncIterator[None]:
        """Run these meanwhile; they drain at the end, but for a block that fails they are cut off.

        Errors come out as they were raised, not in groups: a test's failed assertion is what its reader looks for.
        """
        alone: BaseException | None = None
        try:
            async with anyio.create_task_group() as running:
                try:
                    for consumer in consumers:
                        await running.start(self._run, consumer)
                    yield
                except BaseException:
                    for consumer in consumers:
                        consumer.drain_seconds = 0
                    raise
                finally:
                    self._stop(consumers)
        except BaseExceptionGroup as errors:
            if len(errors.exceptions) > 1:
                raise
            alone = errors.exceptions[0]
        # Outside the handler: there, the group would become the error's context.
        if alone is not None:
            raise alone

    def _stop(self, consumers: Iterable[Service]) -> None:
        # Those only that work: told to stop before it begins, one would end its next run at once.
        for consumer in consumers:
            if consumer in self._working:
                consumer.stop()

    async def _run(self, consumer: Service, *, task_status: TaskStatus[None]) -> None:
        self._working[consumer] = None
        try:
            with self._hurried(consumer):
                await consumer.run(task_status=task_status)
        finally:
            del self._working[consumer]

    @contextmanager
    def _hurried(self, consumer: Service) -> Iterator[None]:
        if not isinstance(consumer, Consumer):
            yield
            return
        policy = consumer.retry_policy
        consumer.retry_policy = replace(
            policy,
            delay_ms=-(-policy.delay_ms // self._retry_speed),
            max_delay_ms=-(-policy.max_delay_ms // self._retry_speed),
        )
        try:
            yield
        finally:
            consumer.retry_policy = policy
