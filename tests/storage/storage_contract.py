"""What every payload storage keeps to: one suite, run on each of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeAlias

import anyio
import pytest

from relayna.errors import InvalidQuery, InvalidSetting
from relayna.storage import PayloadStorage
from relayna.storage.payload_errors import PayloadDamaged, PayloadNotFound

__all__ = ["Place", "StorageContract"]


class Place:
    """A place of the test's own: storages that share it, and what an operator can do to it."""

    def __init__(
        self,
        storage: Callable[[str], PayloadStorage],
        files: Callable[[], list[str]],
        damage: Callable[[str, bytes], None],
    ) -> None:
        self.storage = storage
        """A storage of that tenant's."""
        self.files = files
        """The paths of all files below it, relative to it."""
        self.damage = damage
        """Put other bytes under a path."""


AnyTenant: TypeAlias = str
pytestmark = pytest.mark.anyio


class StorageContract:
    """Give it a fixture `place`."""

    @pytest.mark.parametrize("data", [b"", b"{}", bytes(range(256)) * 4_000])
    async def test_what_was_put_is_had_again(self, place: Place, data: bytes) -> None:
        storage = place.storage("acme")
        key = await storage.put(data)
        assert key == f"acme/{hashlib.sha256(data).hexdigest()}"
        assert await place.storage("acme").get(key) == data

    async def test_the_same_is_stored_once(self, place: Place) -> None:
        async def put() -> None:
            keys.add(await place.storage("acme").put(b"same"))

        keys: set[str] = set()
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(put)
        (key,) = keys
        digest = key.removeprefix("acme/")
        assert place.files() == [f"acme/{digest[:2]}/{digest[2:]}"]

    async def test_tenants_do_not_see_each_other(self, place: Place) -> None:
        key = await place.storage("acme").put(b"secret")
        with pytest.raises(InvalidQuery):
            await place.storage("other").get(key)
        with pytest.raises(PayloadNotFound):
            await place.storage("other").get(key.replace("acme", "other"))

    async def test_what_was_never_stored_is_not_found(self, place: Place) -> None:
        with pytest.raises(PayloadNotFound):
            await place.storage("acme").get(f"acme/{'0' * 64}")

    @pytest.mark.parametrize(
        "key", ["", "acme", "acme/", "acme/../../etc/passwd", f"../{'0' * 64}", f"acme/{'0' * 63}", f"acme/{'G' * 64}",
                f"acme/{'0' * 64}\n", f"acme//{'0' * 64}"],
    )  # fmt: skip
    async def test_what_is_no_key_is_refused(self, place: Place, key: str) -> None:
        with pytest.raises(InvalidQuery):
            await place.storage("acme").get(key)
        assert place.files() == []

    @pytest.mark.parametrize("tenant", ["", ".", "..", "a/b", "a~b", "x" * 65])
    def test_what_is_no_tenant_is_refused(self, place: Place, tenant: str) -> None:
        with pytest.raises(InvalidSetting):
            place.storage(tenant)

    async def test_other_bytes_under_a_key_are_never_given_out(self, place: Place) -> None:
        storage = place.storage("acme")
        key = await storage.put(b"whole")
        (path,) = place.files()
        place.damage(path, b"half")
        with pytest.raises(PayloadDamaged):
            await storage.get(key)
        assert await storage.put(b"whole") == key
        assert await storage.get(key) == b"whole"
