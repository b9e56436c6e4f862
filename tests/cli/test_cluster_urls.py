"""Where a URL of a store is taken, one of a cluster is too."""

from __future__ import annotations

import json

import anyio
import pytest
from cli.command_line import relayna
from servers import StoreUnderTest

from relayna.observability import RedisObservationStore, RedisStatusStore, make_redis_observation_sink

pytestmark = pytest.mark.cluster


def test_a_graph_is_read_from_a_cluster(cluster_store: StoreUnderTest) -> None:
    async def add() -> None:
        async with RedisStatusStore(cluster_store.url, prefix=cluster_store.prefix) as statuses:
            await statuses.add_status("T", "completed")
        async with make_redis_observation_sink(
            RedisObservationStore(cluster_store.url, prefix=cluster_store.prefix)
        ):
            pass

    anyio.run(add)
    run = relayna(
        "graph", "T", "--format", "json", "--redis-url", cluster_store.url, "--prefix", cluster_store.prefix
    )

    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["summary"]["status"] == "completed"


def test_a_wrong_url_is_refused_before_anything_is_asked_and_without_its_secret() -> None:
    run = relayna("graph", "T", "--redis-url", "redis+sentinel://:swordfish@nowhere")

    assert run.returncode != 0
    assert b"names no service" in run.stderr
    assert b"swordfish" not in run.stderr
