"""From a URL or a client to a store: with which settings its connections are made, and how it is shown."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.sentinel import Sentinel

from relayna.errors import InvalidSetting
from relayna.store_url import Endpoint
from relayna.streams.redis.addresses import ClusterAddress, SentinelAddress, SingleAddress, address_of

SECRET = "swordfish"


def test_a_cluster_lends_every_node_the_same_settings() -> None:
    address = address_of(f"rediss+cluster://user:{SECRET}@a:7000,b?socket_timeout=3")

    assert isinstance(address, ClusterAddress)
    assert address.url == "rediss+cluster://***@a:7000,b:6379"
    node = address.settings.at(Endpoint("c", 7009))
    assert node.url == "rediss://***@c:7009/0"
    assert (node.options["host"], node.options["socket_timeout"]) == ("c", 3.0)
    assert node.options["retry"].get_retries() == 0


def test_sentinels_have_credentials_of_their_own() -> None:
    address = address_of(f"redis+sentinel://user:{SECRET}@a,b/orders/3?sentinel_password=other")

    assert isinstance(address, SentinelAddress)
    assert address.url == "redis+sentinel://***@a:26379,b:26379/orders/3"
    assert [sentinel.url for sentinel in address.sentinels] == [
        "redis://***@a:26379/0",
        "redis://***@b:26379/0",
    ]
    first = address.sentinels[0].options
    assert (first["username"], first["password"], first["db"]) == (None, "other", 0)
    master = address.settings.options
    assert (master["username"], master["password"], master["db"]) == ("user", SECRET, 3)


pytestmark = pytest.mark.anyio


async def test_a_cluster_client_lends_its_nodes_and_settings() -> None:
    nodes = [ClusterNode("10.0.0.1", 7000), ClusterNode("10.0.0.2", 7001)]
    address = address_of(RedisCluster(startup_nodes=nodes, password=SECRET, ssl=True, socket_timeout=9))

    assert isinstance(address, ClusterAddress)
    assert address.url == "rediss+cluster://***@10.0.0.1:7000,10.0.0.2:7001"
    assert address.seeds == (Endpoint("10.0.0.1", 7000), Endpoint("10.0.0.2", 7001))
    assert address.settings.options["password"] == SECRET
    assert address.settings.options["socket_timeout"] == 9
    assert address.settings.options["retry"].get_retries() == 0


def test_a_single_client_leads_to_one_server() -> None:
    address = address_of(Redis(host="cache", port=7000))
    assert isinstance(address, SingleAddress)
    assert address.url == "redis://cache:7000/0"


def test_a_client_that_sentinels_lead_is_refused_with_a_way_out() -> None:
    client = Sentinel([("a", 26379)]).master_for("orders")
    with pytest.raises(InvalidSetting, match="pass a URL"):
        address_of(client)


@pytest.mark.parametrize("scheme", ["redis+cluster", "redis+sentinel"])
def test_options_that_nobody_knows_are_refused_without_quoting_them(scheme: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        address_of(f"{scheme}://:{SECRET}@a/{'orders' if 'sentinel' in scheme else ''}?no_such={SECRET}")
    assert SECRET not in str(caught.value)
