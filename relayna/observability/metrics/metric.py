"""What is said of a metric. Owns the shape; which metrics there are is in `catalogue.py`."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

__all__ = ["Metric", "MetricKind"]

MetricKind: TypeAlias = Literal["counter", "gauge", "histogram"]


class Metric(Struct, frozen=True, kw_only=True):
    """One family of series."""

    name: str
    kind: MetricKind
    about: str
    """One sentence: the family's HELP."""
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram, without the last one."""
    joined: Literal["sum", "least"] = "sum"
    """What a gauge stands at when several say something of it."""
    begins: tuple[tuple[str, ...], ...] = ()
    """Label values whose series stand at 0 from the start: an increase from nothing is none to Prometheus."""
