"""Which storage a setting names."""

from __future__ import annotations

from relayna.storage import FsspecStorage, LocalDirectoryStorage, storage_at


def test_a_path_is_a_directory_and_a_url_is_for_fsspec() -> None:
    assert isinstance(storage_at("/var/lib/relayna/inputs"), LocalDirectoryStorage)
    assert isinstance(storage_at("inputs", tenant="acme"), LocalDirectoryStorage)
    assert isinstance(storage_at("memory://inputs"), FsspecStorage)
