"""Which kind of topology a task is of, when its records name several. Owns the rule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from relayna.topologies.topology import TOPOLOGY_KINDS, TopologyKind

__all__ = ["chosen_kind"]

_DEFAULT: Final[TopologyKind] = "shared_tasks_shared_status"


def chosen_kind(named: Iterable[str], *, configured: str | None = None) -> TopologyKind:
    """The kind for a task whose records name these; a configured one wins.

    Of several, the last in the order of `TOPOLOGY_KINDS` is taken: the most specific one.
    """
    told = {configured} if configured in TOPOLOGY_KINDS else set(named)
    known = [kind for kind in TOPOLOGY_KINDS if kind in told]
    return known[-1] if known else _DEFAULT
