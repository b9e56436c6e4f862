"""Fixtures for tests of workers, which pytest finds by itself where relayna is installed.

Owns the fixtures and their option. Loaded by every pytest of such a project, so it loads nothing else of relayna
before a fixture is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from relayna.clock import FrozenClock
    from relayna.testing.worker_trial import WorkerTrial
    from relayna.topologies import Topology

__all__ = ["TrialFactory", "frozen_clock", "pytest_addoption", "relayna_amqp_url", "worker_trial"]


class TrialFactory(Protocol):
    """What the fixture `worker_trial` is."""

    def __call__(
        self,
        topology: Topology,
        **options: Any,  # Any: the options of WorkerTrial, checked there
    ) -> WorkerTrial:
        """A trial of this topology, on the broker that the tests run on."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--relayna-amqp-url`."""
    parser.getgroup("relayna").addoption(
        "--relayna-amqp-url",
        metavar="URL",
        help="run worker trials on this RabbitMQ instead of in memory (else RELAYNA_TEST_AMQP_URL)",
    )


@pytest.fixture
def frozen_clock() -> FrozenClock:
    """A clock that stands still until `advance` moves it."""
    from relayna.clock import FrozenClock

    return FrozenClock()


@pytest.fixture(scope="session")
def relayna_amqp_url(pytestconfig: pytest.Config) -> str | None:
    """The RabbitMQ to test on: `--relayna-amqp-url`, else RELAYNA_TEST_AMQP_URL, else none."""
    from relayna.settings import amqp_url_for_tests

    return pytestconfig.getoption("relayna_amqp_url") or amqp_url_for_tests()


@pytest.fixture
def worker_trial(relayna_amqp_url: str | None) -> TrialFactory:
    """Makes trials: `worker_trial(topology)` is in memory, or on RabbitMQ when `relayna_amqp_url` names one."""

    def made(topology: Topology, **options: Any) -> WorkerTrial:  # Any: as above
        from relayna.testing.worker_trial import WorkerTrial

        return WorkerTrial(topology, **{"amqp_url": relayna_amqp_url, **options})

    return made
