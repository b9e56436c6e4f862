"""One metric's series in memory, and the family that Prometheus is told of.

Owns how values of a kind add up. For use under a lock: `measures.py` holds it.
"""

from __future__ import annotations

import abc
import math
import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Final

from prometheus_client.core import (
    CounterMetricFamily,
    Exemplar,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import (
    Metric as Family,
)

from relayna.instants import Instant
from relayna.observability.metrics.catalogue import Metric
from relayna.observability.metrics.label_values import LabelValues

__all__ = ["Counted", "Distributed", "Gauged", "Series", "made"]

_EXEMPLAR: Final = "task_id"
_LONGEST_EXEMPLAR: Final = 128 - len(_EXEMPLAR)
"""OpenMetrics counts names and values together, and the library raises over 128."""
_ESCAPED: Final = re.compile(r'["\\]')

LabelTuple = tuple[str, ...]


class Series(abc.ABC):
    """All series of one metric."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self._values = [LabelValues() for _ in metric.labels]

    def labelled(self, labels: Mapping[str, str]) -> LabelTuple | None:
        """Which series these labels mean; none when they are not the metric's own."""
        names = self.metric.labels
        if len(labels) != len(names):
            return None
        if not names:
            return ()
        try:
            told = [labels[name] for name in names]
        except KeyError:
            return None
        return tuple(map(LabelValues.shown, self._values, told))

    @abc.abstractmethod
    def family(self) -> Family:
        """What Prometheus is told."""


class Counted(Series):
    """Counters."""

    def __init__(self, metric: Metric) -> None:
        super().__init__(metric)
        self._counts: dict[LabelTuple, float] = {}
        for begins in metric.begins if metric.labels else ((),):
            self.add(self.labelled(dict(zip(metric.labels, begins, strict=True))) or (), 0)

    def add(self, series: LabelTuple, by: float) -> None:
        """So many more."""
        self._counts[series] = self._counts.get(series, 0) + by

    def total(self) -> float:
        """All series together."""
        return sum(self._counts.values())

    def family(self) -> Family:
        """Each series' count."""
        family = CounterMetricFamily(self.metric.name, self.metric.about, labels=self.metric.labels)
        for series, count in self._counts.items():
            family.add_metric(series, count)
        return family


class Gauged(Series):
    """Gauges: what was last set, brought together with what is read now."""

    def __init__(self, metric: Metric) -> None:
        super().__init__(metric)
        self._set: dict[LabelTuple, float] = {}

    def put(self, series: LabelTuple, value: float) -> None:
        """It stands at this."""
        self._set[series] = value

    def family(self) -> Family:
        """What was set alone."""
        return self.family_with(())

    def family_with(self, read: Iterable[tuple[LabelTuple, float]]) -> Family:
        """Together with what was read."""
        told: dict[LabelTuple, list[float]] = {series: [value] for series, value in self._set.items()}
        for series, value in read:
            told.setdefault(series, []).append(value)
        family = GaugeMetricFamily(self.metric.name, self.metric.about, labels=self.metric.labels)
        for series, values in told.items():
            family.add_metric(series, min(values) if self.metric.joined == "least" else sum(values))
        return family


class _Distribution:
    """One series of a histogram."""

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self.exemplars: list[Exemplar | None] = [None] * buckets
        self.total = 0.0


class Distributed(Series):
    """Histograms."""

    def __init__(self, metric: Metric) -> None:
        super().__init__(metric)
        self._bounds = (*metric.buckets, math.inf)
        self._names = [*map(str, metric.buckets), "+Inf"]
        self._series: dict[LabelTuple, _Distribution] = {}
        if not metric.labels:
            self._of(())

    def add(self, series: LabelTuple, value: float, exemplar: str | None, now: Instant) -> None:
        """One more value; the last task in each bucket is its exemplar."""
        distribution = self._of(series)
        bucket = bisect_left(self._bounds, value)
        distribution.counts[bucket] += 1
        distribution.total += value
        if exemplar and _can_be_exemplar(exemplar):
            distribution.exemplars[bucket] = Exemplar({_EXEMPLAR: exemplar}, value, now / 1_000_000)

    def family(self) -> Family:
        """Each series' buckets, added up."""
        family = HistogramMetricFamily(self.metric.name, self.metric.about, labels=self.metric.labels)
        for series, distribution in self._series.items():
            buckets: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
            reached = 0
            for name, count, exemplar in zip(
                self._names, distribution.counts, distribution.exemplars, strict=True
            ):
                reached += count
                buckets.append((name, reached) if exemplar is None else (name, reached, exemplar))
            family.add_metric(series, buckets, distribution.total)
        return family

    def _of(self, series: LabelTuple) -> _Distribution:
        found = self._series.get(series)
        if found is None:
            found = self._series[series] = _Distribution(len(self._bounds))
        return found


def _can_be_exemplar(task_id: str) -> bool:
    # One that was cut would lead nowhere, what cannot be encoded would spoil all that is served, and parsers in
    # the field stumble over escapes there.
    return len(task_id) <= _LONGEST_EXEMPLAR and task_id.isprintable() and not _ESCAPED.search(task_id)


_KINDS: Final[Mapping[str, type[Series]]] = {"counter": Counted, "gauge": Gauged, "histogram": Distributed}


def made(metric: Metric) -> Series:
    """The metric's series, none of which was told anything."""
    return _KINDS[metric.kind](metric)
