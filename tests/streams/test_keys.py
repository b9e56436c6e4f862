"""The grammar of keys: injective, one literal pair of braces, one Cluster slot a shard."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot
from streams.log_harness import HOSTILE_TASK_IDS

from relayna.errors import InvalidSetting
from relayna.ids import TaskId, Tenant
from relayna.streams.keys import DEFAULT_TENANT, KeyGrammar, TaskAddress, checked_tenant, encode_task_id

GRAMMAR = KeyGrammar("relayna", 64)

# Any text at all, and texts built from what the grammar itself is built from.
task_ids = (
    st.text(st.characters(), max_size=200)
    | st.text("ab~%:{}/.0", max_size=12)
    | st.sampled_from(HOSTILE_TASK_IDS)
)
tenants = st.text("ab.-_", min_size=1, max_size=4)
addresses = st.builds(TaskAddress, task_ids.map(TaskId), tenants.map(Tenant))


def keys_of(shard: int, tenant: Tenant) -> list[str]:
    """Every key of a shard that is none of a task's."""
    return [
        GRAMMAR.feed(shard), GRAMMAR.sealing(shard), GRAMMAR.lease(shard), GRAMMAR.models(shard),
        GRAMMAR.rows(shard, tenant), GRAMMAR.index(shard, tenant), GRAMMAR.counts(shard, tenant, 20_454),
        GRAMMAR.runs(shard, tenant), GRAMMAR.runs_of(shard, tenant, 2_922, 7),
    ]  # fmt: skip


@given(addresses, addresses)
def test_different_tasks_have_different_keys(one: TaskAddress, other: TaskAddress) -> None:
    assert (GRAMMAR.events(one) == GRAMMAR.events(other)) == (one == other)


@given(addresses)
def test_a_key_is_short_plain_text_with_one_pair_of_braces(address: TaskAddress) -> None:
    key = GRAMMAR.events(address)

    assert key.isascii()
    assert key.isprintable()
    assert " " not in key
    assert len(key) < 300
    assert (key.count("{"), key.count("}")) == (1, 1)
    assert f":{{{GRAMMAR.shard_of(address)}}}:" in key


@given(addresses)
def test_all_keys_of_a_shard_share_its_slot(address: TaskAddress) -> None:
    shard = GRAMMAR.shard_of(address)
    slot = key_slot(str(shard).encode())

    assert 0 <= shard < 64
    assert key_slot(GRAMMAR.events(address).encode()) == slot
    for key in keys_of(shard, address.tenant):
        assert key_slot(key.encode()) == slot


def test_hostile_ids_do_not_collide() -> None:
    keys = {GRAMMAR.events(TaskAddress(TaskId(task_id))) for task_id in HOSTILE_TASK_IDS}
    assert len(keys) == len(HOSTILE_TASK_IDS)


def test_a_hash_looks_like_no_encoded_id() -> None:
    long = "x" * 500
    hashed = encode_task_id(TaskId(long))

    assert hashed == "~" + hashlib.sha256(long.encode()).hexdigest()
    assert encode_task_id(TaskId(hashed)) != hashed
    assert encode_task_id(TaskId("x" * 160)) == "x" * 160
    assert encode_task_id(TaskId("x" * 161)).startswith("~")


def test_tenant_and_task_cannot_be_mistaken_for_each_other() -> None:
    joined = TaskAddress(TaskId("b~c"), Tenant("a"))
    split = TaskAddress(TaskId("c"), Tenant("a~b"))  # refused by checked_tenant, and apart even so
    assert GRAMMAR.events(joined) != GRAMMAR.events(split)


def test_the_keys_are_spelled_as_documented() -> None:
    address = TaskAddress(TaskId("T:1"))
    shard = int.from_bytes(hashlib.sha256(b"default~T:1").digest()[:8]) % 64

    assert GRAMMAR.events(address) == f"relayna:{{{shard}}}:default~T%3A1:events"
    assert GRAMMAR.feed(7) == "relayna:{7}:feed"
    assert GRAMMAR.shards() == "relayna:shards"
    assert keys_of(7, DEFAULT_TENANT) == [
        "relayna:{7}:feed", "relayna:{7}:sealing", "relayna:{7}:lease", "relayna:{7}:models",
        "relayna:{7}:default:rows", "relayna:{7}:default:index", "relayna:{7}:default:counts:20454",
        "relayna:{7}:default:runs", "relayna:{7}:default:runs:2922:7",
    ]  # fmt: skip


# Tenants that are called as parts of keys are.
AWKWARD_TENANTS = [
    Tenant(name)
    for name in ("a", "events", "feed", "index", "lease", "models", "rows", "shards", "counts", "runs", "7")
]


def test_no_two_keys_of_a_shard_are_the_same_and_none_is_taken_for_a_stream() -> None:
    keys = [key for tenant in AWKWARD_TENANTS for key in keys_of(7, tenant)[4:]] + keys_of(7, Tenant("a"))[:4]

    assert len(set(keys)) == len(keys) == 59
    assert {GRAMMAR.address_in(key) for key in keys} == {None}
    assert {GRAMMAR.tenant_in(key) for key in keys} == {None}
    assert not [key for key in keys if key.endswith((":events", ":shards"))]


@pytest.mark.parametrize("tenant", AWKWARD_TENANTS)
def test_an_index_says_whose_it_is_and_nothing_else_is_one(tenant: Tenant) -> None:
    keys = [*keys_of(7, tenant), GRAMMAR.events(TaskAddress(TaskId("index"), tenant)), "other:{7}:a:index"]

    assert [GRAMMAR.tenant_of_index(key) for key in keys if key != GRAMMAR.index(7, tenant)] == [None] * 10
    assert GRAMMAR.tenant_of_index(GRAMMAR.index(7, tenant)) == tenant


@pytest.mark.parametrize("prefix", ["", "a{b", "a}b", "{}"])
def test_a_prefix_that_would_break_slots_is_refused(prefix: str) -> None:
    with pytest.raises(InvalidSetting, match="prefix"):
        KeyGrammar(prefix)


@pytest.mark.parametrize("shard_count", [0, -1, 16_385])
def test_a_shard_count_beyond_the_slots_is_refused(shard_count: int) -> None:
    with pytest.raises(InvalidSetting, match="shard_count"):
        KeyGrammar("relayna", shard_count)


@pytest.mark.parametrize("tenant", ["", "a~b", "a:b", "a b", "{a}", "\N{GHOST}", "x" * 65, "a\n"])
def test_a_tenant_that_would_blur_keys_is_refused(tenant: str) -> None:
    with pytest.raises(InvalidSetting, match="tenant"):
        checked_tenant(tenant)


def test_a_plain_tenant_is_taken() -> None:
    assert checked_tenant("team-7.eu_west") == "team-7.eu_west"
