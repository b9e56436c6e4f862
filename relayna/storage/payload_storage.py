"""Where messages' bodies are kept beside the log: the protocol, and the keys under which they lie.

Owns the grammar of keys, `TENANT/SHA-256`: the same bytes of a tenant have one key and are stored once, and a key
never leads outside its storage. Stores nothing.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final, Protocol

from relayna.errors import InvalidQuery, InvalidSetting
from relayna.ids import Tenant
from relayna.storage.payload_errors import PayloadDamaged

__all__ = ["DEFAULT_TENANT", "PayloadStorage", "checked_key", "checked_owner", "payload_key", "verified"]

DEFAULT_TENANT: Final = "default"
_TENANT: Final = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,64}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class PayloadStorage(Protocol):
    """Keeps the payloads of one tenant by what they are. Any number of processes may use the same place."""

    async def put(self, data: bytes) -> str:
        """Store the bytes, unless they are there, and return their key. Raises `PayloadStorageFailed`."""

    async def get(self, key: str) -> bytes:
        """The bytes under a key. Raises `PayloadNotFound`, `PayloadDamaged` when they are others by now,

        `PayloadStorageFailed`, and `InvalidQuery` for what is no key of this tenant's.
        """


def checked_owner(tenant: str) -> Tenant:
    """The tenant, whose name becomes a folder's. Raises `InvalidSetting`."""
    if not _TENANT.fullmatch(tenant):
        problem = f"{tenant[:80]!r} is no tenant's name: 1 to 64 of letters, digits, '.', '_' and '-'"
        raise InvalidSetting("tenant", "argument", problem)
    return Tenant(tenant)


def payload_key(tenant: Tenant, data: bytes) -> str:
    """The one key of these bytes of this tenant."""
    return f"{tenant}/{hashlib.sha256(data).hexdigest()}"


def checked_key(key: str, tenant: Tenant) -> str:
    """The digest in a key of this tenant's. Raises `InvalidQuery` for anything else."""
    owner, _, digest = key.partition("/")
    if owner != tenant or not _DIGEST.fullmatch(digest):
        problem = f"{key[:120]!r} is no key of tenant {tenant!r}; one is {tenant}/ and 64 hexadecimal digits"
        raise InvalidQuery("key", problem)
    return digest


def verified(key: str, data: bytes) -> bytes:
    """The bytes, when they are those that the key names. Raises `PayloadDamaged`."""
    if hashlib.sha256(data).hexdigest() != key.rpartition("/")[2]:
        raise PayloadDamaged(key)
    return data
