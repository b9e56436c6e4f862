"""Which edges between runs a process may tell: every run has one birth.

Owns the memory of births, its bound, and the count of what was not told. Tells nothing itself.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from typing import Final, TypeAlias

from relayna.events import RunEdgeRecorded
from relayna.ids import TaskId
from relayna.projections.lineage.run_edges import BIRTH_KINDS
from relayna.signals import Counters

__all__ = ["EdgeAdmission"]

_log: Final = logging.getLogger("relayna.consumer")
_MOST: Final = 10_000
"""Past it the one not heard of for longest is forgotten; a second birth of it is then found by its readers only."""

_Origin: TypeAlias = tuple[str, TaskId | None]
"""The kind of a birth, and the run that it comes from."""


class EdgeAdmission:
    """What the users of one client have told of births. Safe to use from any thread."""

    def __init__(self, counters: Counters, *, is_told: bool, most: int = _MOST) -> None:
        """`is_told` says whether there is anybody to tell edges to."""
        self._counters = counters
        self._is_told = is_told
        self._most = most
        self._lock = threading.Lock()
        self._births: OrderedDict[TaskId, _Origin] = OrderedDict()

    def admits(self, edge: RunEdgeRecorded) -> bool:
        """Whether the edge may be told; when not, that is counted.

        The second birth of a run is refused. The same birth, told again, is none.
        """
        if not self._is_told:
            self.refused("no_sink")
            return False
        if edge.kind not in BIRTH_KINDS or (edge.kind == "domain_callback" and edge.wakes):
            return True
        origin = (edge.kind, edge.source_run)
        known = self._known(edge.target_run, origin)
        if known == origin:
            return True
        self.refused("second_birth")
        _log.warning(
            "Run %s was born by %s; its birth by %s is not recorded",
            *(edge.target_run, _named(known), _named(origin)),
        )
        return False

    def refused(self, reason: str) -> None:
        """Count an edge that is not told."""
        self._counters.increment("relayna_lineage_emission_failures_total", reason=reason)

    def _known(self, run: TaskId, origin: _Origin) -> _Origin:
        with self._lock:
            known = self._births.setdefault(run, origin)
            self._births.move_to_end(run)
            if len(self._births) > self._most:
                self._births.popitem(last=False)
            return known


def _named(origin: _Origin) -> str:
    kind, source = origin
    return kind if source is None else f"{kind} from {source}"
