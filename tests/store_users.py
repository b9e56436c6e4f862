"""Users of a store with exactly the rights that a file of deploy/acl grants, under a test's own prefix."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from servers import StoreUnderTest

__all__ = ["ACL_FILES", "RoleUser", "store_user"]

ACL_FILES = Path(__file__).parent.parent / "deploy" / "acl"

_RULE = re.compile(r"\([^)]*\)|\S+")


class RoleUser(Struct, frozen=True):
    """Somebody who may do what a role does."""

    store: StoreUnderTest
    """As this user sees it; its admin is the server's own."""
    name: str


def rules_of(role: str, prefix: str, tenant: str) -> list[str]:
    """The rules of the role's file, for another prefix and tenant."""
    (line,) = (ACL_FILES / f"{role}.acl").read_text(encoding="utf-8").splitlines()
    rules = _RULE.findall(line.removeprefix(f"user relayna-{role} "))
    return [rule.replace("~relayna:", f"~{prefix}:").replace(":default~", f":{tenant}~") for rule in rules]


@contextmanager
def store_user(
    store: StoreUnderTest,
    role: str,
    *more: str,
    prefix: str | None = None,
    tenant: str = "default",
    shard_count: int | None = 4,
) -> Iterator[RoleUser]:
    """A user of that role, and of `more` rules; the prefix is laid out already, as only an operator may."""
    name = f"{role}-{store.prefix}"
    rules = rules_of(role, prefix or store.prefix, tenant)
    store.admin.execute_command("ACL", "SETUSER", name, "reset", *rules, "on", ">word", *more)
    if shard_count is not None:
        store.admin.set(f"{store.prefix}:shards", shard_count, nx=True)
    url = store.url.replace("redis://", f"redis://{name}:word@")
    try:
        yield RoleUser(StoreUnderTest(url, store.prefix, store.admin), name)
    finally:
        store.admin.execute_command("ACL", "DELUSER", name)
