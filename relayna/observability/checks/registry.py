"""All families of checks, in the order in which they are told. Owns the tuple, and the judgement of a whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from relayna.observability.checks.check import Check
from relayna.observability.checks.clock import check_clock
from relayna.observability.checks.layout import check_layout
from relayna.observability.checks.memory import check_memory
from relayna.observability.checks.persistence import check_persistence
from relayna.observability.checks.retention import check_retention
from relayna.observability.checks.rights import check_rights
from relayna.observability.checks.server_version import check_server_version
from relayna.streams.redis.inspection import Inspection

__all__ = ["FAMILIES", "judge"]

Family: TypeAlias = Callable[[Inspection], list[Check]]

FAMILIES: Final[tuple[Family, ...]] = (
    check_server_version,
    check_memory,
    check_persistence,
    check_rights,
    check_clock,
    check_layout,
)
"""Those that need to know nothing but what was found out."""


def judge(inspection: Inspection, *, retention_seconds: int, open_retention_seconds: int) -> list[Check]:
    """Every check's finding. Pure."""
    found = [check for family in FAMILIES for check in family(inspection)]
    return found + check_retention(
        inspection, retention_seconds=retention_seconds, open_retention_seconds=open_retention_seconds
    )
