"""The page on testing workers: its files run as they stand, on both brokers, and the error reads as shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rabbitmq_server import RabbitMQ
from testing.pytest_runs import run_pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "testing-workers.md").read_text(encoding="utf-8")

FAILING = """
import anyio
import pytest
from photos import TOPOLOGY

from relayna import RetryPolicy, TaskConsumer

pytestmark = pytest.mark.anyio


async def stuck(task, context):
    if context.retry_attempt == 0:
        raise TimeoutError("no answer")
    await anyio.sleep_forever()


async def test_it(worker_trial):
    async with worker_trial(TOPOLOGY) as trial:
        policy = RetryPolicy(delay_ms=30_000, jitter=0)
        async with trial.working(TaskConsumer(rabbitmq=trial.client, handler=stuck, retry_policy=policy)):
            await trial.client.publish_task("photo-9")
            await trial.finished("photo-9", patience_seconds=0.5)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        name = re.match(r"# (\w+\.py)\n", block)
        assert name is not None, block
        (tmp_path / name[1]).write_text(block, encoding="utf-8")
    return tmp_path


def test_its_tests_pass_in_memory(project: Path) -> None:
    run = run_pytest(project)
    assert run.returncode == 0, run.stdout
    assert "3 passed" in run.stdout


@pytest.mark.rabbitmq
def test_its_tests_pass_on_rabbitmq(project: Path, rabbitmq: RabbitMQ) -> None:
    run = run_pytest(project, "--relayna-amqp-url", rabbitmq.url)
    assert run.returncode == 0, run.stdout
    assert "3 passed" in run.stdout


def test_the_error_reads_as_shown(project: Path) -> None:
    (project / "test_failing.py").write_text(FAILING, encoding="utf-8")
    run = run_pytest(project, "test_failing.py")
    shown = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    said = [line.removeprefix("E").strip() for line in run.stdout.splitlines() if line.startswith("E ")]
    said[0] = said[0].partition("NotInTime: ")[2]
    assert [masked(line) for line in said] == [masked(line.strip()) for line in shown[1].splitlines()]


def test_what_was_not_as_expected_reads_as_shown(project: Path) -> None:
    test = project / "test_photo_graphs.py"
    test.write_text(
        test.read_text(encoding="utf-8").replace(".attempts(3)", ".attempts(2)"), encoding="utf-8"
    )
    said = [
        masked(line.removeprefix("E").strip()) for line in run_pytest(project, test.name).stdout.splitlines()
    ]
    shown = re.search(r"```\n(Expected .*?)```", PAGE, re.DOTALL)
    assert shown is not None
    timeless = [line for line in shown[1].splitlines() if line.strip("…") and " ms" not in line]
    lines = [masked(line.strip()) for line in timeless]
    assert lines[0] == "Expected 'photo-8' to have 2 attempts, but it has 3."
    assert [line for line in lines[1:] if line not in said] == []


def masked(line: str) -> str:
    """Without the times that a machine takes, and the name that a process has."""
    timeless = re.sub(r"^\+\d\.\d{3} s|(took|waited) \d+ ms", "…", line)
    return re.sub(r"TaskConsumer-[0-9a-f]{8}", "TaskConsumer-…", timeless)
