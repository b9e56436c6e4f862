"""One file of an incident: what is recorded of a task, redacted, with a page that shows it, and back again."""

from __future__ import annotations

from relayna.observability.incident.bundle import (
    Incident,
    Origin,
    UnreadableIncident,
    graph_digest,
    own_name,
)
from relayna.observability.incident.reading import DEFAULT_MAX_NODES, read_incident
from relayna.observability.incident.viewer import FILE_LIMIT_BYTES, incident_page, open_page

__all__ = [
    "DEFAULT_MAX_NODES", "FILE_LIMIT_BYTES", "Incident", "Origin", "UnreadableIncident", "graph_digest",
    "incident_page", "open_page", "own_name", "read_incident",
]  # fmt: skip
