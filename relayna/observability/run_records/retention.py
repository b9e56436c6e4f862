"""How long run records are kept, by tenant. Owns the rule; deletes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field

from relayna.ids import Tenant
from relayna.instants import Instant

__all__ = ["DEFAULT_LINEAGE_RETENTION_DAYS", "RunRetention"]

DEFAULT_LINEAGE_RETENTION_DAYS: Final = 90

_DAY: Final = 86_400_000_000


class RunRetention(Struct, frozen=True, kw_only=True):
    """So many days after the last that is known of a run, and never shorter than its stream."""

    days: int = DEFAULT_LINEAGE_RETENTION_DAYS
    by_tenant: Mapping[str, int] = field(default_factory=dict)
    """Days of tenants that have their own."""

    def expires_at(self, tenant: Tenant, *, began: Instant, last: Instant, stream_ends: Instant) -> Instant:
        """When a record may be forgotten: whole days after its run began, which stores write in one byte.

        >>> retention = RunRetention(days=2, by_tenant={"acme": 3})
        >>> for tenant in ("default", "acme"):
        ...     at = retention.expires_at(Tenant(tenant), began=Instant(5), last=Instant(9), stream_ends=Instant(0))
        ...     (at - 5) // 86_400_000_000
        3
        4
        """
        days = self.by_tenant.get(tenant, self.days)
        until = max(last + days * _DAY, stream_ends)
        return Instant(began + max(1, -(-(until - began) // _DAY)) * _DAY)
