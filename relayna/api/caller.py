"""Who asks, and what they may: the answer of an `Access` to a request.

Owns the shape and the names of the scopes. How callers are told apart is in `access.py`.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from relayna.ids import Tenant

__all__ = ["Caller", "Scope"]

Scope: TypeAlias = Literal["read", "payloads", "replay", "record", "metrics"]
"""`read`: graphs, lists, live. `payloads`: bodies and headers of dead letters. `replay`: send them again.
`record`: tell spans and outputs from outside.
`metrics`: numbers of the whole service, of all tenants."""


class Caller(Struct, frozen=True, kw_only=True):
    """One who asks."""

    name: str
    """As audits say it; of a token, its name and never the token."""
    tenant: Tenant | None = None
    """Whose tasks they see; none of their own where nobody is told apart: those that the service reads."""
    scopes: frozenset[Scope]
