"""Brokers and sinks that note what is done through them, and fail when they are told to.

They stand in for nothing: what passes through reaches the broker or the recorder behind them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from relayna.clock import Clock
from relayna.consumer import Delivery, MemoryBroker, Message, Settlement
from relayna.errors import Disconnected, OutcomeUnknown, StoreUnreachable, Unroutable
from relayna.events import Event, RecordedEvent
from relayna.ids import TaskId
from relayna.streams import Durability, Recorder

__all__ = ["PUBLISH_FAULTS", "Note", "NotedSink", "NotingBroker", "PublishFault"]

Note = tuple[str, str]
"""What was done, and to what: (`published`, queue or key), (`recorded`, type), (`durable`, answer), (`settled`, how)."""

PublishFault = Callable[[str, str], Exception]


def _disconnected(exchange: str, routing_key: str) -> Exception:
    return Disconnected("The publishing connection")


def _unknown(exchange: str, routing_key: str) -> Exception:
    return OutcomeUnknown(exchange, routing_key, 10.0)


PUBLISH_FAULTS: dict[str, PublishFault] = {
    "unroutable": Unroutable,
    "unknown": _unknown,
    "disconnected": _disconnected,
}


class NotingBroker(MemoryBroker):
    """Notes publishes and settlements; lets chosen publishes fail, while channels stay open."""

    def __init__(self, *, clock: Clock, notes: list[Note] | None = None) -> None:
        super().__init__(clock=clock)
        self.notes: list[Note] = [] if notes is None else notes
        self.publishes = 0
        self.faults: dict[int, PublishFault] = {}
        """By number of the publish, counted from 0; one of unknown outcome has reached its queue."""

    async def publish(
        self, message: Message, *, exchange: str, routing_key: str, confirm_timeout: float = 10.0
    ) -> None:
        number, self.publishes = self.publishes, self.publishes + 1
        fault = self.faults.get(number)
        if fault is None or fault is _unknown:
            await super().publish(message, exchange=exchange, routing_key=routing_key)
        if fault is not None:
            raise fault(exchange, routing_key)
        self.notes.append(("published", routing_key))

    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        await super().settle(delivery, settlement)
        self.notes.append(("settled", settlement.value))


class NotedSink:
    """A recorder that notes what it is asked for; it can pretend trouble, and it can die with its worker."""

    def __init__(self, recorder: Recorder, notes: list[Note] | None = None) -> None:
        self._recorder = recorder
        self.notes: list[Note] = [] if notes is None else notes
        self.answer: Durability | None = None
        """What `durable` answers, whatever is true."""
        self.unreadable = False
        self.dead = False
        """Nothing reaches the log any more: the worker was killed."""

    def record(self, event: Event, *, topology_kind: str | None = None) -> None:
        if not self.dead:
            self._recorder.record(event, topology_kind=topology_kind)
            self.notes.append(("recorded", type(event.body).__name__))

    async def durable(self, *, budget_seconds: float = 0.25) -> Durability:
        answer = await self._recorder.durable(budget_seconds=budget_seconds)
        if budget_seconds:
            self.notes.append(("durable", answer.value))
        return answer if self.answer is None else self.answer

    async def read(self, task_id: TaskId) -> Sequence[RecordedEvent]:
        if self.unreadable:
            raise StoreUnreachable("memory", "switched off")
        return await self._recorder.read(task_id)

    async def __aenter__(self) -> Self:
        await self._recorder.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._recorder.__aexit__(kind, error, traceback)
