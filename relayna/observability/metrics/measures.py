"""Measures that Prometheus collects: the numbers of this process, by the names of the catalogue.

Owns them, under one lock. prometheus-client writes them down; its own counters are not used, for what records from
a signal handler, or in a forked child, must not wait for a lock that nobody will give back.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Final, TypeVar

from msgspec import Struct
from prometheus_client.core import CollectorRegistry, InfoMetricFamily
from prometheus_client.core import Metric as Family

from relayna.clock import Clock, SystemClock
from relayna.observability.metrics.catalogue import METRICS
from relayna.observability.metrics.families import (
    Counted,
    Distributed,
    Gauged,
    LabelTuple,
    Series,
    made,
)
from relayna.signals import ReadGauge
from relayna.streams.forking import after_fork

__all__ = ["PrometheusMeasures"]

_REFUSED: Final = "relayna_measures_refused_total"
_SeriesT = TypeVar("_SeriesT", bound=Series)


class _Watched(Struct, frozen=True):
    """A gauge that is read when somebody looks."""

    name: str
    labels: dict[str, str]
    reader: Callable[[], ReadGauge | None]
    """Gives back how to read it, as long as whoever it belongs to lives."""


class PrometheusMeasures:
    """Give it wherever `counters` are asked for, and serve its registry.

    Never raises: a name, a label or a value that is not the catalogue's is counted in
    `relayna_measures_refused_total`. A forked child begins at 0.
    """

    def __init__(self, registry: CollectorRegistry | None = None, *, clock: Clock | None = None) -> None:
        """Registers itself, in a registry of its own unless one is given: never in the global one by itself.

        Raises `ValueError` for a registry that holds such measures already.
        """
        self.registry = CollectorRegistry() if registry is None else registry
        self._clock = clock or SystemClock()
        self._watched: list[_Watched] = []
        self._begin()
        after_fork(self._begin)
        self.registry.register(self)

    def _begin(self) -> None:
        # Re-entrant: a signal handler that records may interrupt us while we hold it.
        self._lock = threading.RLock()
        self._series = {metric.name: made(metric) for metric in METRICS}

    def increment(self, name: str, by: int = 1, **labels: str) -> None:
        """Add `by`, 0 or more, to a counter. By 0 it only begins."""
        with self._lock:
            found = self._found(Counted, name, labels)
            if found is None:
                return
            if not _is_finite(by) or by < 0:
                self._refuse("bad_value")
                return
            series, told = found
            series.add(told, by)

    def observe(self, name: str, value: float, *, exemplar: str | None = None, **labels: str) -> None:
        """Add a value to a histogram; one below 0, by clocks that disagree, counts as 0."""
        with self._lock:
            found = self._found(Distributed, name, labels)
            if found is None:
                return
            if not _is_finite(value):
                self._refuse("bad_value")
                return
            series, told = found
            series.add(told, max(0.0, value), exemplar, self._clock.now())

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        with self._lock:
            found = self._found(Gauged, name, labels)
            if found is None:
                return
            if not _is_finite(value):
                self._refuse("bad_value")
                return
            series, told = found
            series.put(told, value)

    def watch(self, name: str, read: ReadGauge, **labels: str) -> None:
        """Read a gauge at every scrape, as long as the object whose bound method `read` is lives."""
        reader: Callable[[], ReadGauge | None]
        try:
            reader = weakref.WeakMethod(read)
        except TypeError:
            reader = _Kept(read)
        with self._lock:
            if self._found(Gauged, name, labels) is not None:
                self._watched = [one for one in self._watched if one.reader() is not None]
                self._watched.append(_Watched(name, labels, reader))

    def counted(self, name: str) -> float:
        """What a counter stands at, over all of its labels; 0 for a name that is none's."""
        with self._lock:
            series = self._series.get(name)
            return series.total() if isinstance(series, Counted) else 0.0

    def describe(self) -> Iterable[Family]:
        """The families there are, without their series: by these a registry knows a second one like it."""
        return [_build_info(), *(made(metric).family() for metric in METRICS)]

    def collect(self) -> Iterable[Family]:
        """Everything, as it is now."""
        read = self._read_gauges()
        with self._lock:
            families = [
                series.family_with(read.get(name, ())) if isinstance(series, Gauged) else series.family()
                for name, series in self._series.items()
            ]
        return [_build_info(), *families]

    def _read_gauges(self) -> dict[str, list[tuple[LabelTuple, float]]]:
        """Without the lock: whoever is asked may measure something meanwhile."""
        told: dict[str, list[tuple[LabelTuple, float]]] = {}
        for one in list(self._watched):
            value = self._read(one)
            with self._lock:
                found = None if value is None else self._found(Gauged, one.name, one.labels)
            if value is not None and found is not None:
                told.setdefault(one.name, []).append((found[1], value))
        return told

    def _read(self, watched: _Watched) -> float | None:
        read = watched.reader()
        try:
            value = None if read is None else read()
            return None if value is None else float(value)
        except Exception:  # noqa: BLE001 - counted; one gauge must not take the others with it
            with self._lock:
                self._refuse("gauge_failed")
            return None

    def _found(
        self, kind: type[_SeriesT], name: str, labels: dict[str, str]
    ) -> tuple[_SeriesT, LabelTuple] | None:
        series = self._series.get(name)
        if not isinstance(series, kind):
            self._refuse("unknown_name")
            return None
        told = series.labelled(labels)
        if told is None:
            self._refuse("unknown_label")
            return None
        return series, told

    def _refuse(self, reason: str) -> None:
        refused = self._series[_REFUSED]
        if isinstance(refused, Counted):
            refused.add((reason,), 1)


class _Kept:
    """A function that belongs to nobody, kept for ever."""

    def __init__(self, read: ReadGauge) -> None:
        self._read = read

    def __call__(self) -> ReadGauge:
        return self._read


def _is_finite(value: object) -> bool:
    try:
        return isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def _build_info() -> Family:
    try:
        own = version("relayna")
    except PackageNotFoundError:
        own = "unknown"
    return InfoMetricFamily("relayna_build", "Which relayna this process runs.", value={"version": own})
