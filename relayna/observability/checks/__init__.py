"""Whether the store is set up as relayna needs it: one file a family of checks, each registered in `FAMILIES`."""

from __future__ import annotations

from relayna.observability.checks.check import Check, CheckReport, CheckState
from relayna.observability.checks.registry import FAMILIES, judge
from relayna.observability.checks.store_health import StoreHealth

__all__ = ["FAMILIES", "Check", "CheckReport", "CheckState", "StoreHealth", "judge"]
