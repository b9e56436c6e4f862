"""The guard itself: a test that leaves a key without an expiry must fail."""

from __future__ import annotations

import pytest
from servers import Servers, StoreUnderTest


def test_a_leaked_key_fails_the_test_that_left_it(servers: Servers) -> None:
    with pytest.raises(AssertionError, match="leaked"), servers.store(servers.first_present()) as store:
        store.admin.set(f"{store.prefix}:leaked", "x")


def test_the_permanent_key_and_expiring_ones_are_no_leak(any_store: StoreUnderTest) -> None:
    any_store.admin.set(f"{any_store.prefix}:shards", 4)
    any_store.admin.set(f"{any_store.prefix}:brief", "x", ex=60)

    assert any_store.keys_without_expiry() == []
    assert len(any_store.all_keys()) == 2
