"""Fixtures that every test may ask for: the event loop, real servers, the guard against leaked keys, and the report
of the reliability tests, which is printed at the end wherever they ran.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import Any

import hypothesis
import pytest
from cluster_servers import ClusterUnderTest
from rabbitmq_server import RabbitMQ
from reliability.report import ReliabilityReport
from servers import SERVER_KINDS, Servers, StoreUnderTest

hypothesis.settings.register_profile("relayna", deadline=None, print_blob=True)
hypothesis.settings.register_profile(
    "ci", parent=hypothesis.settings.get_profile("relayna"), derandomize=True
)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") == "true" else "relayna")


_REPORT = pytest.StashKey[ReliabilityReport]()


def pytest_configure() -> None:
    """Commands write as into a pipe, whatever the terminal is from which the tests were started."""
    os.environ.pop("COLUMNS", None)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """asyncio: the broker's client has no other."""
    return "asyncio"


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Real servers, each started when first asked for and shared by the whole session."""
    with Servers() as shared:
        yield shared


@pytest.fixture(params=SERVER_KINDS)
def store(request: pytest.FixtureRequest, servers: Servers) -> Iterator[StoreUnderTest]:
    """A prefix of the test's own on each kind of server; afterwards no key may be left without an expiry."""
    with servers.store(request.param) as under_test:
        yield under_test


@pytest.fixture
def any_store(servers: Servers) -> Iterator[StoreUnderTest]:
    """As `store`, on one server only: for tests in which the kind of server makes no difference."""
    with servers.store(servers.first_present()) as under_test:
        yield under_test


@pytest.fixture(scope="session")
def cluster() -> Iterator[ClusterUnderTest]:
    """A real cluster of three masters, started when first asked for and shared by the whole session."""
    with ClusterUnderTest() as shared:
        yield shared


@pytest.fixture
def cluster_store(cluster: ClusterUnderTest) -> Iterator[StoreUnderTest]:
    """A prefix of the test's own on the cluster; afterwards no key may be left without an expiry."""
    with cluster.store() as under_test:
        yield under_test


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    """A real RabbitMQ, started when first asked for and shared by the whole session."""
    with RabbitMQ() as shared:
        yield shared


@pytest.fixture
def reliability(request: pytest.FixtureRequest) -> ReliabilityReport:
    """Where a reliability test enters what it found."""
    return request.config.stash.setdefault(_REPORT, ReliabilityReport())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test has logged is told to another process, in UTF-8; tests of odd texts log what that cannot hold."""
    report = yield
    report.sections = [(name, text.encode(errors="replace").decode()) for name, text in report.sections]
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """One process of several hands its report on."""
    report = session.config.stash.get(_REPORT, None)
    output = getattr(session.config, "workeroutput", None)
    if report is not None and output is not None:
        output["reliability"] = report.handed_on()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:  # Any: pytest-xdist's own
    """Take the report of another process in."""
    handed_on = getattr(node, "workeroutput", {}).get("reliability")
    if handed_on is not None:
        node.config.stash.setdefault(_REPORT, ReliabilityReport()).take_in(handed_on)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The reliability tests' own report line."""
    report = config.stash.get(_REPORT, None)
    if report is not None:
        terminalreporter.section("reliability")
        for line in report.lines():
            terminalreporter.line(line)
