"""T20: dead letters are replayed by processes that die at every step and that race: lost 0, doubled 0."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import pytest
from consumer.broker_steps import PATIENCE_SECONDS
from consumer.rabbitmq.rabbitmq_bench import RabbitMQBench
from observability.mortal import Killed, Life, MortalLog, MortalPublisher
from rabbitmq_server import RabbitMQ
from reliability.report import Findings, ReliabilityReport
from reliability.sizes import sized
from servers import StoreUnderTest

from relayna import Recorder, RedisLog, RelaynaClient, RetryPolicy, TaskConsumer
from relayna.consumer import TaskContext, TaskEnvelope
from relayna.consumer.rabbitmq import RabbitMQBroker
from relayna.events import DeadLetterReplayed, TaskMessageAcked, TaskMessageReceived
from relayna.ids import TaskId
from relayna.observability import DLQService, DLQStore, RedisDLQStore, ReplayOutcome
from relayna.streams import TaskAddress, replay

pytestmark = [pytest.mark.anyio, pytest.mark.rabbitmq, pytest.mark.fault]

STEPS = 14
"""Before and after each of: reading, saying who asks, claiming, reading again, publishing, marking, saying the end."""
ENOUGH_SECONDS = 60 * PATIENCE_SECONDS


class Redrive:
    """Letters on real servers, and two consumers that know of each other by the log alone."""

    def __init__(self, rabbitmq: RabbitMQ, store: StoreUnderTest) -> None:
        self.log = RedisLog(store.url, prefix=store.prefix)
        self.bench = RabbitMQBench(rabbitmq, log=self.log)
        self.handled: Counter[str] = Counter()
        self.deaths = 0
        self._store = store
        self._mended = False
        self._seen = anyio.Event()

    def store(self) -> RedisDLQStore:
        """A view by a connection of its own, as another process has."""
        return RedisDLQStore(self._store.url, prefix=self._store.prefix)

    async def letters(self, count: int) -> dict[str, str]:
        """Let so many tasks fail; their letters, by task."""
        tasks = [f"task-{number}" for number in range(count)]
        async with self.working():
            for task_id in tasks:
                await self.bench.client.publish_task(task_id, {"total": 7})
            await self.bench.until(*((task_id, "failed") for task_id in tasks))
            service = DLQService(store=self.store())
            found = {}
            for task_id in tasks:
                while not (listed := await service.list_dead_letters(task_id)):
                    await anyio.lowlevel.checkpoint()
                [letter] = listed
                found[task_id] = letter["dead_letter_id"]
        self._mended = True
        return found

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Two consumers meanwhile, as in two processes: nothing is shared but the servers."""
        async with AsyncExitStack() as stack:
            consumers = []
            for _ in range(2):
                client = RelaynaClient(
                    topology=self.bench.topology,
                    broker=RabbitMQBroker(self.bench.topology.rabbitmq_url),
                    observation_sink=Recorder(RedisLog(self._store.url, prefix=self._store.prefix)),
                )
                await stack.enter_async_context(client)
                policy = RetryPolicy(max_retries=0)
                consumers.append(
                    TaskConsumer(rabbitmq=client, handler=self._handle, retry_policy=policy, prefetch=5)
                )
            async with self.bench.working(*consumers):
                yield

    async def _handle(self, task: TaskEnvelope, context: TaskContext) -> None:
        if not self._mended:
            raise KeyError("total")
        self.handled[task.task_id] += 1

    async def die_at(self, step: int, task_id: str, letter: str) -> None:
        """A process that replays the letter and is killed there; its claim runs out at once."""
        life = Life(step)
        store = DLQStore(MortalLog(self.log, life))
        broker = MortalPublisher(self.bench.broker, life)
        try:
            await DLQService(store=store, broker=broker, claim_seconds=0).replay(task_id, letter)
        except Killed:
            self.deaths += 1

    async def race(self, racers: int, task_id: str, letter: str) -> Counter[ReplayOutcome]:
        """So many processes replay it at the same moment."""
        outcomes: Counter[ReplayOutcome] = Counter()

        async def run() -> None:
            service = DLQService(store=self.store(), broker=self.bench.broker)
            outcomes[(await service.replay(task_id, letter)).outcome] += 1

        async with anyio.create_task_group() as racing:
            for _ in range(racers):
                racing.start_soon(run)
        return outcomes

    async def work_off(self) -> None:
        """Handle all that waits; what came into the queue before the last task is handed out before it."""
        async with self.working():
            await self.bench.client.publish_task("the-end")
            await self.bench.until(("the-end", "completed"))
        del self.handled["the-end"]

    async def judge(self, letters: dict[str, str]) -> Findings:
        """What became of them."""
        events = doubled = unexpected = in_log = 0
        for task_id in letters:
            [read] = await replay(self.log, [TaskAddress(TaskId(task_id))])
            ids = {event.envelope.event_id: event for event in read.events}
            events += len(read.events)
            in_log += len(read.events) - len(ids)
            bodies = [event.body for event in ids.values()]
            doubled += sum(isinstance(body, TaskMessageAcked) for body in bodies) > 1
            unexpected += sum(isinstance(body, DeadLetterReplayed) for body in bodies) != 1
            counts = {body.replay_count for body in bodies if isinstance(body, TaskMessageReceived)}
            unexpected += counts != {0, 1}
        return Findings(
            tasks=len(letters),
            events=events,
            kills=self.deaths,
            lost=len(letters.keys() - self.handled.keys()),
            duplicated_in_log=in_log,
            duplicated_in_graph=doubled + sum(self.handled.values()) - len(self.handled),
            unexpected=unexpected,
        )


@sized(letters=100)
async def test_redrives_die_at_each_step(
    letters: int, rabbitmq: RabbitMQ, any_store: StoreUnderTest, reliability: ReliabilityReport
) -> None:
    """Each letter is replayed by processes that die at each step: half of them while two consumers take what
    comes, half before, so that several copies wait for both."""
    seed = 20
    chance = random.Random(seed)
    print(f"seed {seed}")
    redrive = Redrive(rabbitmq, any_store)

    async def die_at_each_step(letters: Sequence[tuple[str, str]]) -> None:
        for task_id, letter in letters:
            for step in chance.sample(range(STEPS), k=STEPS):
                await redrive.die_at(step, task_id, letter)
            await redrive.race(2, task_id, letter)

    with anyio.fail_after(ENOUGH_SECONDS):
        async with redrive.bench:
            found = await redrive.letters(letters)
            before, meanwhile = list(found.items())[::2], list(found.items())[1::2]
            await die_at_each_step(before)
            async with redrive.working():
                await die_at_each_step(meanwhile)
            await redrive.work_off()
            reliability.add("T20 redrives that die", await redrive.judge(found))
    assert redrive.deaths >= letters * 4  # whatever comes first, so many steps are reached


@sized(letters=10, racers=50)
async def test_redrives_race(
    letters: int, racers: int, rabbitmq: RabbitMQ, any_store: StoreUnderTest, reliability: ReliabilityReport
) -> None:
    """One of them publishes, and one copy is in the queue."""
    redrive = Redrive(rabbitmq, any_store)
    with anyio.fail_after(ENOUGH_SECONDS):
        async with redrive.bench:
            found = await redrive.letters(letters)
            for task_id, letter in found.items():
                outcomes = await redrive.race(racers, task_id, letter)
                assert outcomes == {ReplayOutcome.REPLAYED: 1, ReplayOutcome.REFUSED: racers - 1}
            await redrive.work_off()
            findings = await redrive.judge(found)
    reliability.add("T20 redrives that race", findings)
