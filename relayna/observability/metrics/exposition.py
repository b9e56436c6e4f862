"""A registry written down for whoever scrapes it: Prometheus text 0.0.4, or OpenMetrics with exemplars.

Owns the two formats' names. How one is chosen is HTTP's affair.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import generate_latest
from prometheus_client.core import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest as generate_open_metrics

__all__ = ["OPEN_METRICS", "TEXT", "content_type", "expose"]

TEXT: Final = "text/plain"
OPEN_METRICS: Final = "application/openmetrics-text"

_VERSIONS: Final = {TEXT: "0.0.4", OPEN_METRICS: "1.0.0"}


def expose(registry: CollectorRegistry, media_type: str) -> bytes:
    """Every metric of the registry, as `TEXT` or `OPEN_METRICS`. Only the latter has exemplars."""
    if media_type == OPEN_METRICS:
        return bytes(generate_open_metrics(registry))  # type: ignore[no-untyped-call]  # the library's own gap
    return generate_latest(registry)


def content_type(media_type: str) -> str:
    """The header, by which scrapers know the format's version."""
    return f"{media_type}; version={_VERSIONS[media_type]}; charset=utf-8"
