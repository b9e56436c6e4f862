"""`relayna storage get`: the bytes as they were stored, and its exit codes."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from cli.in_process import relayna_here

from relayna.storage import LocalDirectoryStorage

DATA = b"\x00\xff{}\n"


@pytest.fixture
def key(tmp_path: Path) -> str:
    return anyio.run(LocalDirectoryStorage(tmp_path, tenant="acme").put, DATA)


@pytest.mark.parametrize("by", ["option", "environment", "url"])
def test_the_bytes_are_written_as_they_are(key: str, tmp_path: Path, by: str) -> None:
    url = f"file://{tmp_path}" if by == "url" else str(tmp_path)
    options = () if by == "environment" else ("--storage-url", url)
    told = relayna_here("storage", "get", key, "--tenant", "acme", *options, RELAYNA_STORAGE_URL=url)
    assert (told.code, told.stdout, told.stderr) == (0, DATA, "")


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        (f"acme/{'0' * 64}", 3, "Nothing is stored under"),
        ("acme/../../secret", 2, "is no key of tenant"),
        (f"other/{'0' * 64}", 2, "is no key of tenant"),
    ],
)
def test_what_is_not_there_or_no_key_says_so(tmp_path: Path, asked: str, code: int, said: str) -> None:
    told = relayna_here("storage", "get", asked, "--tenant", "acme", "--storage-url", str(tmp_path))
    assert (told.code, told.stdout) == (code, b"")
    assert said in told.stderr


def test_damaged_bytes_are_not_given_out(key: str, tmp_path: Path) -> None:
    digest = key.partition("/")[2]
    (tmp_path / "acme" / digest[:2] / digest[2:]).write_bytes(b"other")
    told = relayna_here("storage", "get", key, "--tenant", "acme", "--storage-url", str(tmp_path))
    assert (told.code, told.stdout) == (1, b"")


def test_where_they_are_must_be_said(key: str) -> None:
    told = relayna_here("storage", "get", key)
    assert told.code == 2
    assert "--storage-url" in told.stderr
