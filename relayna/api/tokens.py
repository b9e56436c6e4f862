"""Tokens: who they are, what they may, and how they are told apart.

Owns the file that lists them, which holds a SHA-256 of each and none of them, and the comparison. A token is 32
random bytes, so one round of SHA-256 keeps it: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import secrets
import stat
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request

from relayna.api.caller import Caller, Scope
from relayna.api.problems import NotAuthenticated
from relayna.clock import Clock, SystemClock
from relayna.errors import InvalidSetting
from relayna.ids import Tenant
from relayna.streams import checked_tenant

__all__ = ["Token", "TokenAccess", "digest_of", "new_token", "read_tokens"]

_logger = logging.getLogger("relayna.api")

_PRESENTED: Final = re.compile(r"Bearer +([A-Za-z0-9._~+/-]{1,256}=*)", re.IGNORECASE)


class Token(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of the file: what is known of a token."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    """Whose it is, as audits and logs say it."""
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    """Of the token's characters, in hexadecimal digits."""
    scopes: Annotated[frozenset[Scope], Meta(min_length=1)]
    tenant: str | None = None
    """Whose tasks it shows; by default those of the service's own tenant."""
    expires: datetime | None = None
    """The first moment at which it is not taken any more, with its offset from UTC."""


class TokenAccess:
    """Knows callers by the tokens of a file, which is read again when it has changed.

    A file that cannot be read any more changes nothing: those that were known stay known, and the log says so.
    Raises `InvalidSetting` for one that cannot be read at the start.
    """

    def __init__(self, file: Path, *, clock: Clock | None = None) -> None:
        self._file = file
        self._clock = clock or SystemClock()
        self._version = _version_of(file)
        self._tokens = read_tokens(file)
        self._warn_if_writable()

    def caller_of(self, request: Request) -> Caller:
        """Whose token it carries. Raises `NotAuthenticated`, which does not say what was wrong with it."""
        self._read_again_if_changed()
        given = request.headers.getlist("authorization")
        presented = _PRESENTED.fullmatch(given[0]) if len(given) == 1 else None
        if presented is None:
            raise NotAuthenticated
        token = self._known(digest_of(presented[1]))
        if token is None:
            raise NotAuthenticated
        tenant = None if token.tenant is None else Tenant(token.tenant)
        return Caller(name=token.name, tenant=tenant, scopes=token.scopes)

    def _known(self, digest: str) -> Token | None:
        found = None
        for token in self._tokens:  # all of them, so that the time it takes tells nothing
            if hmac.compare_digest(token.sha256, digest):
                found = token
        if found is not None and found.expires is not None and self._has_come(found.expires):
            return None
        return found

    def _has_come(self, moment: datetime) -> bool:
        return self._clock.now() >= round(moment.timestamp() * 1_000_000)

    def _read_again_if_changed(self) -> None:
        version = _version_of(self._file)
        if version == self._version:
            return
        self._version = version
        try:
            self._tokens = read_tokens(self._file)
        except InvalidSetting as error:
            _logger.error("The tokens that were known stay known, and no other: %s", error)
        else:
            _logger.info("There are %d tokens in %s now", len(self._tokens), self._file)
            self._warn_if_writable()

    def _warn_if_writable(self) -> None:
        if self._version is not None and self._version.mode & stat.S_IWOTH:
            _logger.warning(
                "Everybody on this machine can add tokens to %s; take that right away", self._file
            )


class _Version(Struct, frozen=True):
    """What changes when a file does, also when another takes its place."""

    modified_ns: int
    size: int
    inode: int
    mode: int


class _TokenFile(Struct, frozen=True, forbid_unknown_fields=True):
    token: tuple[Token, ...] = ()


def new_token() -> str:
    """A token that nobody has: 32 random bytes, after a word that scanners for secrets can look for."""
    return f"relayna_{secrets.token_urlsafe(32)}"


def digest_of(token: str) -> str:
    """What the file holds of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def read_tokens(file: Path) -> tuple[Token, ...]:
    """The tokens that a file lists, perhaps none. Raises `InvalidSetting`."""
    try:
        tokens = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), _TokenFile).token
    except (OSError, ValueError) as error:
        raise _wrong(file, f"cannot be read: {error}") from error
    names: set[str] = set()
    digests: set[str] = set()
    for token in tokens:
        if token.name in names or token.sha256 in digests:
            raise _wrong(file, f"{token.name!r} has a name or a token that another has too")
        names.add(token.name)
        digests.add(token.sha256)
        if token.expires is not None and token.expires.tzinfo is None:
            raise _wrong(file, f"{token.name!r} expires at no certain time; write 2027-01-31T00:00:00Z")
        if token.tenant is not None:
            _check_tenant(file, token.name, token.tenant)
    return tokens


def _check_tenant(file: Path, name: str, tenant: str) -> None:
    try:
        checked_tenant(tenant)
    except InvalidSetting as error:
        raise _wrong(file, f"{name!r}: tenant {error.problem}") from None


def _wrong(file: Path, problem: str) -> InvalidSetting:
    return InvalidSetting("api_token_file", f"file {file}", problem)


def _version_of(file: Path) -> _Version | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return _Version(found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode)
