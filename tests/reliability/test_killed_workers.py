"""T11, T18 and T19: workers that are killed, that die of their tasks, and that are told to end."""

from __future__ import annotations

import random
import signal

import anyio
import pytest
from consumer.rabbitmq.worker_process import WorkerProcess
from rabbitmq_server import RabbitMQ
from reliability.fleet import Fleet
from reliability.report import ReliabilityReport
from reliability.sizes import sized
from servers import StoreUnderTest

from relayna.topologies import dead_letter_queue_name

pytestmark = [pytest.mark.anyio, pytest.mark.rabbitmq, pytest.mark.fault]


@sized(kills=100)
async def test_workers_are_killed_wherever_they_are(
    kills: int, rabbitmq: RabbitMQ, any_store: StoreUnderTest, reliability: ReliabilityReport
) -> None:
    """T11: one terminal status a task, and nothing of what was settled is lost."""
    seed = 11
    chance = random.Random(seed)
    print(f"seed {seed}")
    left = kills

    async def keep_dying(fleet: Fleet) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            doom = f"{chance.randint(1, 100)}:{chance.randint(0, 8_000)}"
            async with fleet.worker(doom=doom) as worker:
                assert await worker.ends() == -signal.SIGKILL

    async with Fleet(rabbitmq, any_store) as fleet:
        count = kills * 120  # so that nobody is left without the handlers that he is to die of
        await fleet.publish(
            fleet.expect(f"task-{n}", {"spawn": 2} if n % 10 == 0 else {}) for n in range(count)
        )
        async with anyio.create_task_group() as seats:
            for _ in range(2):
                seats.start_soon(keep_dying, fleet)
        await fleet.work_until_ended()
        reliability.add("T11 workers killed", await fleet.judge(kills=kills))


@sized(poison=50, tasks=5_000)
async def test_poison_is_put_aside_within_its_limit_and_its_neighbours_are_done(
    poison: int, tasks: int, rabbitmq: RabbitMQ, any_store: StoreUnderTest, reliability: ReliabilityReport
) -> None:
    """T18: a fifth of the poison ends its worker at once, the rest fails whenever it is handled."""
    deadly = max(1, poison // 5)
    async with Fleet(rabbitmq, any_store, max_retries=2) as fleet:
        requests = [fleet.expect(f"plain-{n}", {}) for n in range(tasks)]
        for n in range(poison):
            payload = {"die": True} if n < deadly else {"fail": True}
            requests.insert(n * tasks // poison, fleet.expect(f"poison-{n}", payload, status="failed"))
        await fleet.publish(requests)
        deaths = 0
        ended = anyio.Event()

        async def watch() -> None:
            await fleet.ended()
            ended.set()

        async def stay_manned() -> None:
            nonlocal deaths
            while not ended.is_set():
                async with fleet.worker() as worker, anyio.create_task_group() as waiting:
                    waiting.start_soon(end_with, worker)
                    code = await worker.ends()
                    waiting.cancel_scope.cancel()
                    deaths += code == -signal.SIGKILL

        async def end_with(worker: WorkerProcess) -> None:
            await ended.wait()
            worker.process.send_signal(signal.SIGTERM)  # perhaps before it listens, which is as good here

        async with anyio.create_task_group() as crew:
            crew.start_soon(watch)
            crew.start_soon(stay_manned)
        letters = await fleet.letters(dead_letter_queue_name(fleet.topology.tasks_queue), poison)
        assert sorted(letters) == sorted(f"poison-{n}" for n in range(poison))
        findings = await fleet.judge(kills=deaths, bad_inputs=poison)
        # Two retries are allowed, so three may die of each; one more where the first was too quick to be told.
        assert 3 * deadly <= deaths <= 4 * deadly
        reliability.add("T18 poison", findings)


@sized(restarts=20)
async def test_rolling_restarts_lose_nothing(
    restarts: int, rabbitmq: RabbitMQ, any_store: StoreUnderTest, reliability: ReliabilityReport
) -> None:
    """T19: each worker is told to end while it works, and another takes its place."""
    async with Fleet(rabbitmq, any_store) as fleet:

        async def publish(part: int) -> None:
            await fleet.publish(fleet.expect(f"task-{part}-{n}", {"spawn": n % 2}) for n in range(150))

        async with anyio.create_task_group() as producing:
            for part in range(restarts):
                async with fleet.worker() as worker:
                    producing.start_soon(publish, part)
                    await worker.says("begun 20")
                    assert await worker.ends(signal.SIGTERM) == 0
        await fleet.work_until_ended()
        reliability.add("T19 rolling restarts", await fleet.judge(faults=restarts))
