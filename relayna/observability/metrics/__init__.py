"""Numbers for Prometheus: which there are, how they are kept, and how a worker serves its own."""

from __future__ import annotations

from relayna.observability.metrics.catalogue import LABELS, METRICS, Metric
from relayna.observability.metrics.exposition import OPEN_METRICS, TEXT, content_type, expose
from relayna.observability.metrics.graph_reports import GraphReports
from relayna.observability.metrics.measures import PrometheusMeasures
from relayna.observability.metrics.worker_metrics import WorkerMetrics

__all__ = [
    "LABELS", "METRICS", "OPEN_METRICS", "TEXT", "GraphReports", "Metric", "PrometheusMeasures", "WorkerMetrics",
    "content_type", "expose",
]  # fmt: skip
