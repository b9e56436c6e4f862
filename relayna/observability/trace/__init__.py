"""Where a session's time went: analysed from a log or asked of a service, drawn, exported, as data frames."""

from __future__ import annotations

from relayna.observability.trace.client import TraceClient, TraceRequestFailed
from relayna.observability.trace.data_frames import compute_frame, critical_path_frame, network_frame
from relayna.observability.trace.otlp_exporter import ExportFailed, OtlpExporter
from relayna.observability.trace.rows import UnknownRowType
from relayna.observability.trace.terminal import print_trace
from relayna.observability.trace.trace_service import SessionTrace, TraceService
from relayna.observability.trace.upload import Uploaded
from relayna.projections.trace.of_graph import graph_history
from relayna.projections.trace.profile import ProfileSummary, analyse

__all__ = [
    "ExportFailed",
    "OtlpExporter",
    "ProfileSummary",
    "SessionTrace",
    "TraceClient",
    "TraceRequestFailed",
    "TraceService",
    "UnknownRowType",
    "Uploaded",
    "analyse",
    "compute_frame",
    "critical_path_frame",
    "graph_history",
    "network_frame",
    "print_trace",
]
