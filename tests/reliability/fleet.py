"""A fleet of worker processes on a real RabbitMQ and a real store, and the journal of what they were asked to do.

Owns how tasks are published whatever happens to the broker, and how their ends are waited for.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import anyio
import redis.asyncio
from consumer.rabbitmq.rabbitmq_bench import shared_topology
from consumer.rabbitmq.worker_process import WorkerProcess, worker_process
from msgspec.structs import replace
from rabbitmq_server import RabbitMQ
from reliability.fleet_worker import MAX_RETRIES, retry_policy
from reliability.oracle import Expectation, judge
from reliability.report import Findings
from servers import StoreUnderTest

from relayna import RabbitMQBroker, Recorder, RedisLog, RelaynaClient, TaskRequest
from relayna.consumer import TasksNotPublished
from relayna.events import TERMINAL_STATUSES, Body, RecordedEvent, TaskMessageRejected, closes_attempt
from relayna.events.vocabulary import RETRY_TYPES, STATUS_TYPES
from relayna.ids import TaskId
from relayna.streams import TaskAddress, replay
from relayna.streams.redis.pages import feed_references
from relayna.topologies import Declarations, declarations, retry_declarations

__all__ = ["Fleet"]

_SCRIPT: Final = Path(__file__).with_name("fleet_worker.py")
_PATIENCE_SECONDS: Final = 1_200
_AT_ONCE: Final = 500


class Fleet:
    """Enter it, publish, run workers, wait until all has ended, judge."""

    def __init__(self, rabbitmq: RabbitMQ, store: StoreUnderTest, *, max_retries: int = MAX_RETRIES) -> None:
        self.name = rabbitmq.name()
        self.topology = shared_topology(rabbitmq.url, self.name)
        self.log = RedisLog(store.url, prefix=store.prefix)
        self.expected: dict[str, Expectation] = {}
        """The journal: every task that was to be published, with its children."""
        self._place = (rabbitmq.url, store.url, store.prefix, self.name, str(max_retries))
        self._ladder = retry_policy(max_retries).ladder()
        self._store = store
        self._broker = RabbitMQBroker(rabbitmq.url)
        self.client = RelaynaClient(
            topology=self.topology, broker=self._broker, observation_sink=Recorder(self.log)
        )
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.enter_context(anyio.fail_after(_PATIENCE_SECONDS))
            await stack.enter_async_context(self.log)
            await stack.enter_async_context(self.client)
            stack.push_async_callback(self._clear)
            self._opened = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._opened.__aexit__(kind, error, traceback)

    def expect(self, task_id: str, payload: dict[str, Any], *, status: str = "completed") -> TaskRequest:
        """Enter a task into the journal; publish what is returned."""
        children = payload.get("spawn", 0)
        self.expected[task_id] = Expectation(status=status, children=children)
        self.expected.update({f"{task_id}.child-{n}": Expectation() for n in range(children)})
        return TaskRequest(task_id=task_id, payload=payload)

    async def publish(self, tasks: Iterable[TaskRequest]) -> None:
        """Publish all of them, again as long as the broker gives no answer."""
        waiting = list(tasks)
        while waiting:
            batch, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
            try:
                await self.client.publish_tasks(batch)
            except TasksNotPublished as error:
                again = [replace(batch[n], message_id=error.message_ids[n]) for n in error.failures]
                waiting = [*again, *waiting]
                await self._broker._now().publishing.up()

    @asynccontextmanager
    async def worker(self, *, doom: str = "") -> AsyncIterator[WorkerProcess]:
        """One worker; see `fleet_worker.py`."""
        async with worker_process(*self._place, doom, script=_SCRIPT) as worker:
            yield worker

    async def work_until_ended(self, workers: int = 2) -> None:
        """Have workers work until all that is in the journal has ended; then they drain."""
        async with AsyncExitStack() as stack:
            crew = [await stack.enter_async_context(self.worker()) for _ in range(workers)]
            await self.ended()
            for worker in crew:
                assert await worker.ends(signal.SIGTERM) == 0

    async def ended(self, count: int | None = None) -> None:
        """Return when the log says of so many tasks, or of every task in the journal, that they have ended."""
        ended: set[str] = set()
        async for touched in self._touched():
            # The journal may have grown meanwhile.
            looked_at = [TaskAddress(TaskId(task_id)) for task_id in touched if task_id not in ended]
            for start in range(0, len(looked_at), _AT_ONCE):
                for read in await replay(self.log, looked_at[start : start + _AT_ONCE]):
                    if _has_ended(read.events):
                        ended.add(read.address.task_id)
            if len(ended) >= count if count else ended >= self.expected.keys():
                return

    async def _touched(self) -> AsyncIterator[set[str]]:
        """Which tasks were appended to, as the feeds tell; from their beginning."""
        keys = self.log.keys
        after: dict[str | bytes, str | bytes] = {keys.feed(shard): "0-0" for shard in range(keys.shard_count)}
        async with redis.asyncio.from_url(self._store.url, protocol=2) as client:
            while True:
                found = await client.xread(after, block=1_000)  # type: ignore[arg-type]
                touched: set[str] = set()
                for feed, entries in found:
                    after[feed.decode()] = entries[-1][0]
                    reply = [[stream_id, [*fields.popitem()]] for stream_id, fields in entries]
                    touched.update(reference.address.task_id for reference in feed_references(reply))
                yield touched

    async def letters(self, queue_name: str, count: int) -> list[str]:
        """The tasks of so many messages of a dead-letter queue."""
        async with self._broker.consume(queue_name, prefetch=count) as subscription:
            deliveries = aiter(subscription)
            taken = [await anext(deliveries) for _ in range(count)]
        return [delivery.message.headers["x-relayna-task-id"] for delivery in taken]

    async def judge(self, **known: int) -> Findings:
        """What the log makes of all that is in the journal."""
        return await judge(self.log, self.expected, **known)

    async def _clear(self) -> None:
        declared = declarations(self.topology) + retry_declarations(self.topology.tasks_queue, self._ladder)
        await self._broker.delete(Declarations(queues=declared.queues, exchanges=declared.exchanges))


def _has_ended(events: Sequence[RecordedEvent]) -> bool:
    bodies = [event.body for event in events]
    told = any(isinstance(body, STATUS_TYPES) and body.status in TERMINAL_STATUSES for body in bodies)
    return told and any(map(_ends_task, bodies))


def _ends_task(body: Body) -> bool:
    if isinstance(body, TaskMessageRejected):
        return not body.requeue
    return closes_attempt(body) and not isinstance(body, RETRY_TYPES)
