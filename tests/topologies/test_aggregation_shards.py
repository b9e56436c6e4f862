"""Shards: the rule by which a parent finds its shard, and shards that could not be told apart."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from relayna.errors import InvalidTopology
from relayna.topologies.aggregation_shards import (
    AggregationShards,
    check_shards,
    shard_key,
    shard_of,
    shard_queue,
)

SHARDS = AggregationShards(count=8, routing_prefix="aggregation", queue_template="agg.{shard}.of.{shard}")


def test_the_rule_is_sha256_modulo_the_count() -> None:
    expected = int(hashlib.sha256(b"order-7").hexdigest(), 16) % 8
    assert shard_of(SHARDS, "order-7") == expected == 7


@given(parent=st.text(st.characters()), count=st.integers(1, 4096))
def test_every_parent_has_a_shard(parent: str, count: int) -> None:
    assert 0 <= shard_of(replace(SHARDS, count=count), parent) < count


def test_names_of_a_shard() -> None:
    assert shard_key(SHARDS, 3) == "aggregation.3"
    assert shard_queue(SHARDS, 3) == "agg.3.of.3"


def test_usable_ones_pass() -> None:
    check_shards(SHARDS)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"count": 0}, "shard_count"),
        ({"count": 4097}, "shard_count"),
        ({"count": "8"}, "shard_count"),
        ({"routing_prefix": ""}, "aggregation_routing_prefix"),
        ({"routing_prefix": "all.#"}, "aggregation_routing_prefix"),
        ({"routing_prefix": "x" * 251}, "aggregation_routing_prefix"),
        ({"queue_template": "aggregation"}, "aggregation_queue_template"),
        ({"queue_template": ""}, "aggregation_queue_template"),
        ({"queue_template": "x" * 236 + "{shard}"}, "aggregation_queue_template"),
    ],
)
def test_others_are_refused(changes: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidTopology) as refused:
        check_shards(replace(SHARDS, **changes))
    assert refused.value.field == field
