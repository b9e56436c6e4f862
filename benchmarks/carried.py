"""What one process and one server carry, for who plans: figures of several cases, as so many a second.

Owns which figures those are. A figure that is not in a report is told as not measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from benchmarks.figures import Figure
from benchmarks.results import Report

__all__ = ["CARRIED", "Carried", "carried"]


class Carried(Struct, frozen=True, kw_only=True):
    """One line: who carries what, and the figures that say so."""

    who: str
    what: str
    case: str
    figures: tuple[str, ...]
    """Of that case. Several take their time one after the other."""
    times: int | None = None
    """A figure in microseconds is taken so many times for each; None for one that is so many a second already."""

    def a_second(self, medians: Mapping[str, float]) -> float | None:
        """From the medians of the case's figures; None when one is missing."""
        found = [medians[name] for name in self.figures if name in medians]
        if len(found) < len(self.figures):
            return None
        return sum(found) if self.times is None else 1e6 / (sum(found) * self.times)


_WORKER: Final = "a worker process"
_SERVICE: Final = "a service process"
_STORE: Final = "a Redis or Valkey server"

CARRIED: Final = (
    Carried(
        who=_WORKER,
        what="events recorded, 2,000 tasks at work",
        case="append",
        figures=("2,000 live tasks, recorder",),
    ),
    Carried(
        who=_WORKER,
        what="messages of an in-memory broker, empty handler, recorded before each ack",
        case="consumer",
        figures=("an empty handler, recording into the store",),
        times=1,
    ),
    Carried(
        who=_WORKER,
        what="messages of RabbitMQ, empty handler, recorded before each ack",
        case="rabbitmq",
        figures=("relayna, durable before ack, no statuses",),
    ),
    Carried(
        who=_SERVICE,
        what="graphs of 20 events, over HTTP",
        case="read_path",
        figures=("20 events, over TCP",),
        times=20,
    ),
    Carried(
        who=_SERVICE,
        what="events indexed for lists and statistics",
        case="capacity",
        figures=("an event indexed, of the service",),
        times=1,
    ),
    Carried(
        who=_STORE,
        what="events recorded",
        case="capacity",
        figures=("an event recorded, of the store",),
        times=1,
    ),
    Carried(
        who=_STORE,
        what="events recorded and indexed",
        case="capacity",
        figures=("an event recorded, of the store", "an event indexed, of the store"),
        times=1,
    ),
    Carried(
        who=_STORE,
        what="graphs of 6 events",
        case="capacity",
        figures=("a graph of 6 events read, of the store",),
        times=1,
    ),
)


def carried(report: Report) -> list[tuple[Carried, float | None]]:
    """Each line with its number a second."""
    medians = {case.name: dict(_medians(case.figures)) for case in report.cases}
    return [(line, line.a_second(medians.get(line.case, {}))) for line in CARRIED]


def _medians(figures: list[Figure]) -> list[tuple[str, float]]:
    return [(figure.name, figure.median) for figure in figures if figure.median is not None]
