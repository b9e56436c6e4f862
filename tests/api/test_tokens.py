"""Tokens: who is known by one, what a file of them may hold, and that it is read again."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from api.whole_service import token_entry
from starlette.requests import Request

from relayna.api.caller import Caller
from relayna.api.problems import NotAuthenticated
from relayna.api.tokens import TokenAccess, digest_of, new_token, read_tokens
from relayna.clock import FrozenClock
from relayna.errors import InvalidSetting
from relayna.ids import Tenant

READER, ADMIN = "relayna_reader", "relayna_admin"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of two tokens."""
    tokens = tmp_path / "tokens.toml"
    entries = token_entry("reader", READER, "read", tenant="acme") + token_entry(
        "admin", ADMIN, "read", "payloads", "replay", "metrics"
    )
    tokens.write_text(entries, encoding="utf-8")
    tokens.chmod(0o644)
    return tokens


def asking(*authorizations: str) -> Request:
    """A request with these Authorization headers."""
    headers = [(b"authorization", value.encode("latin-1")) for value in authorizations]
    return Request({"type": "http", "headers": headers})


def test_a_token_says_who_asks(file: Path) -> None:
    access = TokenAccess(file)
    assert access.caller_of(asking(f"Bearer {READER}")) == Caller(
        name="reader", tenant=Tenant("acme"), scopes=frozenset({"read"})
    )
    admin = access.caller_of(asking(f"bearer   {ADMIN}"))
    assert (admin.name, admin.tenant) == ("admin", None)
    assert admin.scopes == {"read", "payloads", "replay", "metrics"}


@pytest.mark.parametrize(
    "authorizations",
    [
        (),
        ("",),
        ("Bearer",),
        ("Bearer ",),
        (READER,),
        (f"Basic {READER}",),
        (f"Bearer {READER}x",),
        (f"Bearer {READER[:-1]}",),
        (f"Bearer {READER.upper()}",),
        (f"Bearer {READER} {READER}",),
        (f"Bearer {READER},",),
        (f" Bearer {READER}",),
        (f"Bearer\t{READER}",),
        (f"Bearer {digest_of(READER)}",),
        (f"Bearer {READER}", f"Bearer {READER}"),
        (f"Bearer {READER}", "Bearer other"),
        ("Bearer caf\u00e9",),
        ("Bearer " + "x" * 10_000,),
    ],
)
def test_everything_else_is_nobody_and_hears_the_same(file: Path, authorizations: tuple[str, ...]) -> None:
    with pytest.raises(NotAuthenticated) as refused:
        TokenAccess(file).caller_of(asking(*authorizations))
    assert str(refused.value) == str(NotAuthenticated())


def test_a_token_ends_when_it_expires(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.toml"
    entry = token_entry("visitor", "relayna_visitor", "read") + "expires = 2026-01-01T00:00:10Z\n"
    tokens.write_text(entry, encoding="utf-8")
    clock = FrozenClock()
    access = TokenAccess(tokens, clock=clock)
    clock.advance(9)
    assert access.caller_of(asking("Bearer relayna_visitor")).name == "visitor"
    clock.advance(1)
    with pytest.raises(NotAuthenticated):
        access.caller_of(asking("Bearer relayna_visitor"))


def test_a_token_is_revoked_without_a_restart(file: Path) -> None:
    access = TokenAccess(file)
    access.caller_of(asking(f"Bearer {READER}"))
    file.write_text(token_entry("admin", ADMIN, "read"), encoding="utf-8")
    with pytest.raises(NotAuthenticated):
        access.caller_of(asking(f"Bearer {READER}"))
    assert access.caller_of(asking(f"Bearer {ADMIN}")).scopes == {"read"}


def test_a_file_that_takes_the_place_of_another_is_noticed(file: Path, tmp_path: Path) -> None:
    access = TokenAccess(file)
    found = file.stat()
    other = tmp_path / "other.toml"
    other.write_text(file.read_text(encoding="utf-8").replace(digest_of(READER), digest_of("relayna_new")))
    os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))
    other.replace(file)
    assert access.caller_of(asking("Bearer relayna_new")).name == "reader"


@pytest.mark.parametrize("broken", ["[[token]", "", None])
def test_a_broken_file_takes_no_rights_away_and_says_so(
    file: Path, broken: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    access = TokenAccess(file)
    if broken is None:
        file.unlink()
    else:
        file.write_text(broken, encoding="utf-8")
    if broken == "":  # no tokens is no mistake: the last one can be taken back too
        with pytest.raises(NotAuthenticated):
            access.caller_of(asking(f"Bearer {READER}"))
        return
    with caplog.at_level(logging.ERROR, "relayna.api"):
        for _ in range(3):
            assert access.caller_of(asking(f"Bearer {READER}")).name == "reader"
    [told] = caplog.messages
    assert "stay known" in told
    file.write_text(token_entry("reader", "relayna_newer", "read"), encoding="utf-8")
    assert access.caller_of(asking("Bearer relayna_newer")).name == "reader"


def test_a_file_that_others_can_write_is_told(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    TokenAccess(file)
    assert caplog.messages == []
    file.chmod(0o646)
    TokenAccess(file)
    [told] = caplog.messages
    assert "Everybody on this machine can add tokens" in told


GOOD = token_entry("reader", READER, "read")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("token = 1", "Expected `array`"),
        ("[[tokens]]\nname = 'x'", "unknown field"),
        (GOOD.replace("scopes", "scope"), "scope"),
        (GOOD.replace("'read'", "'write'"), "write"),
        (GOOD.replace("['read']", "[]"), "length >= 1"),
        (GOOD.replace(digest_of(READER), READER), "regex"),
        (GOOD.replace(digest_of(READER), digest_of(READER).upper()), "regex"),
        (GOOD.replace("'reader'", "''"), "length >= 1"),
        (GOOD + GOOD, "another has too"),
        (GOOD + GOOD.replace("'reader'", "'other'"), "another has too"),
        (GOOD + "expires = 2027-01-01T00:00:00\n", "no certain time"),
        (GOOD + "tenant = 'a~b'\n", "must be 1 to 64"),
    ],
)
def test_a_file_that_is_wrong_at_the_start_is_told(tmp_path: Path, content: str, problem: str) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(content, encoding="utf-8")
    with pytest.raises(InvalidSetting, match=problem) as refused:
        TokenAccess(tokens)
    assert refused.value.name == "api_token_file"


def test_a_file_that_is_not_there_at_the_start_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="cannot be read"):
        read_tokens(tmp_path / "none.toml")


def test_tokens_are_long_and_different() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) >= len("relayna_") + 43 for token in tokens)
