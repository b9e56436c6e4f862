"""What the tests of live executions stand on: stories told into a log, and a follower that keeps what it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import anyio
import anyio.lowlevel
import msgspec

from relayna.events import RecordedEvent, encode_event, encode_frame
from relayna.observability.live import LiveMessage, Subscription
from relayna.projections.graph import ExecutionGraph, encode_graph
from relayna.projections.graph_patch import GraphPatch, apply_patch
from relayna.streams import Append, Appended, Log, TaskAddress
from relayna.testing.attempt_histories import AttemptHistory
from relayna.testing.histories import TaskHistory

__all__ = ["Follower", "Teller", "tell", "until"]


async def tell(log: Log, events: Iterable[RecordedEvent], tenant: str = "default") -> None:
    """Append each of these to its task's stream."""
    appends = [
        Append(
            TaskAddress(event.envelope.task_id, tenant),  # type: ignore[arg-type]
            encode_frame(event.envelope.task_id, None, 0, [encode_event(event)]),
        )
        for event in events
    ]
    for result in await log.append(appends):
        assert isinstance(result, Appended)


class Teller:
    """Tells a story as it goes on."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._told = 0

    async def tell(self, story: TaskHistory | AttemptHistory) -> None:
        """What has happened since the last time."""
        events = story.events[self._told :]
        self._told += len(events)
        await tell(self._log, events)


class Follower:
    """Applies what a subscription tells, over the wire, and remembers what kinds of messages there were."""

    def __init__(self, subscription: Subscription, graph: ExecutionGraph | None = None) -> None:
        self.subscription = subscription
        self.graph = graph
        self.version: str | None = None
        self.told: list[str] = []

    @property
    def json(self) -> bytes:
        assert self.graph is not None
        return encode_graph(self.graph)

    async def next(self) -> LiveMessage | None:
        """The next message, applied."""
        with anyio.fail_after(20):
            message = await self.subscription.next_message()
        if message is None:
            self.told.append("closed")
            return None
        self.told.append(type(message.body).__name__.removeprefix("Execution").removeprefix("Live").lower())
        self.version = message.version or self.version
        if isinstance(message.body, ExecutionGraph):
            self.graph = msgspec.json.decode(encode_graph(message.body), type=ExecutionGraph)
        elif isinstance(message.body, GraphPatch):
            assert self.graph is not None
            patch = msgspec.json.decode(msgspec.json.encode(message.body), type=GraphPatch)
            self.graph = apply_patch(self.graph, patch)
        return message

    async def until(self, kind: str) -> list[str]:
        """Go on until a message of this kind; the kinds of all until then."""
        begun = len(self.told)
        while kind not in self.told[begun:]:
            await self.next()
            assert self.told[-1] != "closed" or kind == "closed", self.told
        return self.told[begun:]

    async def until_it_holds(self, expected: bytes) -> None:
        """Go on until the graph is this one."""
        while self.graph is None or self.json != expected:
            assert await self.next() is not None, self.told


async def until(condition: Callable[[], bool]) -> None:
    """Return when the condition holds."""
    with anyio.fail_after(20):
        while not condition():
            await anyio.lowlevel.checkpoint()
