"""Payloads wherever fsspec leads: in memory and in files."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import fsspec
import pytest
from storage.storage_contract import Place, StorageContract

from relayna.errors import InvalidSetting
from relayna.storage import FsspecStorage
from relayna.storage.payload_errors import PayloadStorageFailed

pytestmark = pytest.mark.anyio


class TestContract(StorageContract):
    @pytest.fixture(params=["memory", "file"])
    def place(self, request: pytest.FixtureRequest, tmp_path: Path) -> Place:
        url = f"memory://{uuid4().hex}/inputs" if request.param == "memory" else f"file://{tmp_path}/inputs"
        files, root = fsspec.core.url_to_fs(url)
        return Place(
            storage=lambda tenant: FsspecStorage(url, tenant=tenant),
            files=lambda: sorted(path[len(root) + 1 :] for path in files.find(root)),
            damage=lambda path, data: files.pipe_file(f"{root}/{path}", data),
        )


def test_an_unknown_scheme_says_what_to_install() -> None:
    with pytest.raises(InvalidSetting, match=r"relayna\[storage\]"):
        FsspecStorage("nowhere://bucket/inputs")


async def test_what_the_file_system_raises_is_translated(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(PayloadStorageFailed):
        await FsspecStorage(f"file://{tmp_path}/file").put(b"x")


def test_a_place_that_refuses_to_be_reached_is_no_setting() -> None:
    with pytest.raises(InvalidSetting) as raised:
        FsspecStorage("ftp://writer:secret@127.0.0.1:1/inputs")
    assert "secret" not in str(raised.value)


async def test_what_the_file_system_says_names_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    def quote(path: str) -> bool:
        raise OSError("cannot reach writer:secret@host, nor with secret")

    monkeypatch.setattr("fsspec.implementations.memory.MemoryFileSystem.exists", staticmethod(quote))
    with pytest.raises(PayloadStorageFailed, match="cannot reach") as raised:
        await FsspecStorage("memory://writer:secret@host/inputs").put(b"x")
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None
