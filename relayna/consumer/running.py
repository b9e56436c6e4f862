"""The consumers of one process, from its start to a signal: `run_consumers`.

Owns the signals, and that all end when one does. How a consumer drains is its own affair (`consumer.py`).
"""

from __future__ import annotations

import signal
from typing import Final

import anyio
from anyio.abc import TaskStatus

from relayna.consumer.option_checks import check_services
from relayna.consumer.service import Service
from relayna.errors import InvalidSetting

__all__ = ["run_consumers"]

_ENDING: Final = (signal.SIGTERM, signal.SIGINT)


async def run_consumers(
    *consumers: Service,
    task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Run these until SIGTERM or Ctrl-C, then let all drain, each within its `drain_seconds`, and return.

    Nothing is lost: what is being handled ends, or goes back to its queue at the deadline. A second signal ends
    the process at once; what it held is handed out again, and its attempts show as abandoned. When one consumer
    ends by itself, so do the others. For the main thread, and not for Windows: asyncio hears signals nowhere
    else. Raises `BrokerError` or `StoreError` when one cannot start, and `InvalidSetting` when there is none.

        async with client:
            await run_consumers(TaskConsumer(rabbitmq=client, handler=resize))
    """
    if not consumers:
        raise InvalidSetting("consumers", "argument", "there are none to run; give at least one")
    check_services(consumers)
    crew = _Crew()
    try:
        async with anyio.create_task_group() as listening:
            await listening.start(_stop_at_signal, crew)
            async with anyio.create_task_group() as working:
                for consumer in consumers:
                    if not crew.ending:
                        await working.start(crew.run, consumer)
                task_status.started()
            listening.cancel_scope.cancel()
    except BaseExceptionGroup as errors:
        # Two groups around one error: whoever called wants to catch the error.
        raise _alone(errors) from None


class _Crew:
    """Those that run, until one ends."""

    def __init__(self) -> None:
        self.ending = False
        self._running: set[Service] = set()

    def stop(self) -> None:
        self.ending = True
        for consumer in self._running:
            consumer.stop()

    async def run(self, consumer: Service, *, task_status: TaskStatus[None]) -> None:
        self._running.add(consumer)
        try:
            await consumer.run(task_status=task_status)
        finally:
            # Before the others are stopped: a stop now would end its next run at once.
            self._running.discard(consumer)
            self.stop()


async def _stop_at_signal(crew: _Crew, *, task_status: TaskStatus[None]) -> None:
    with anyio.open_signal_receiver(*_ENDING) as signals:
        task_status.started()
        async for _ in signals:
            break
    crew.stop()


def _alone(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    first = errors.exceptions[0]
    if len(errors.exceptions) > 1:
        return errors
    return _alone(first) if isinstance(first, BaseExceptionGroup) else first
