"""Which service answers whom: services read one tenant's tasks, and callers may be of several.

Owns the choice, and that a tenant's service is made once. Knows nothing of what services do.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, TypeAlias, TypeVar

from relayna.api.caller import Caller
from relayna.ids import Tenant

__all__ = ["OfCaller", "by_tenant", "same_for_all"]

ServiceT = TypeVar("ServiceT")

OfCaller: TypeAlias = Callable[[Caller], ServiceT]
"""The service that answers this caller."""

_MOST_TENANTS: Final = 1_000


def same_for_all(service: ServiceT) -> OfCaller[ServiceT]:
    """One service, whoever asks."""
    return lambda caller: service


def by_tenant(make: Callable[[Tenant], ServiceT], *, default: Tenant) -> OfCaller[ServiceT]:
    """A service for each tenant, made when its first caller comes; the least recently asked one is forgotten."""
    made: OrderedDict[Tenant, ServiceT] = OrderedDict()

    def of(caller: Caller) -> ServiceT:
        tenant = default if caller.tenant is None else caller.tenant
        if tenant not in made:
            made[tenant] = make(tenant)
            if len(made) > _MOST_TENANTS:
                made.popitem(last=False)
        made.move_to_end(tenant)
        return made[tenant]

    return of
