"""Payloads in a local directory."""

from __future__ import annotations

import stat
from functools import partial
from pathlib import Path

import pytest
from storage.storage_contract import Place, StorageContract

from relayna.storage import LocalDirectoryStorage
from relayna.storage.payload_errors import PayloadStorageFailed

pytestmark = pytest.mark.anyio


def files_below(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


class TestContract(StorageContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        root = tmp_path / "inputs"
        return Place(
            storage=lambda tenant: LocalDirectoryStorage(root, tenant=tenant),
            files=partial(files_below, root),
            damage=lambda path, data: (root / path).write_bytes(data) and None,
        )


async def test_only_the_owner_may_read_what_is_stored(tmp_path: Path) -> None:
    root = tmp_path / "not" / "there"
    await LocalDirectoryStorage(root).put(b"secret")
    (path,) = (root / name for name in files_below(root))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (root, *path.parents[:2])} == {0o700}


async def test_a_directory_that_is_none_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    storage = LocalDirectoryStorage(tmp_path / "file")
    with pytest.raises(PayloadStorageFailed) as raised:
        await storage.put(b"x")
    assert raised.value.place == str(tmp_path / "file")


async def test_nothing_half_written_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(PayloadStorageFailed, match="No space left"):
        await LocalDirectoryStorage(tmp_path).put(b"x")
    assert files_below(tmp_path) == []
