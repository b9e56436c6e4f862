"""Fixtures that every test may ask for: the event loop, real servers, and the guard against leaked keys."""

from __future__ import annotations

import os
from collections.abc import Iterator

import hypothesis
import pytest
from cluster_servers import ClusterUnderTest
from rabbitmq_server import RabbitMQ
from servers import SERVER_KINDS, Servers, StoreUnderTest

hypothesis.settings.register_profile("relayna", deadline=None, print_blob=True)
hypothesis.settings.register_profile(
    "ci", parent=hypothesis.settings.get_profile("relayna"), derandomize=True
)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") == "true" else "relayna")


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
