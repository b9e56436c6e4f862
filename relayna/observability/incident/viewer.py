"""The page of an incident: one file that any browser opens from disk, and that holds the incident itself.

Owns the page's parts, its policy and its bytes: the same for the same incident. The page asks for nothing, from
anywhere; its one script is named in the policy by its digest, and the page says all that it says without it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from string import Template
from typing import Final

from relayna.observability.incident.bundle import (
    Incident,
    UnreadableIncident,
    encode_incident,
    parse_incident,
)
from relayna.observability.incident.graph_svg import graph_svg
from relayna.observability.incident.markup import text
from relayna.observability.incident.run_list import listed_lines, run_list
from relayna.observability.incident.sections import about, dead_letters, evidence, headline, why_section
from relayna.observability.incident.timeline_table import timeline_table
from relayna.projections.failure import explain_failure

__all__ = ["FILE_LIMIT_BYTES", "incident_page", "open_page"]

FILE_LIMIT_BYTES: Final = 512 * 1024 * 1024

_DATA_START: Final = '<script type="application/json" id="relayna-incident" data-sha256="'
_DATA: Final = re.compile(re.escape(_DATA_START).encode() + rb'([0-9a-f]{64})">([^<]*)</script>')


def incident_page(incident: Incident) -> bytes:
    """The HTML, in UTF-8."""
    graph = incident.graph()
    why = explain_failure(graph)
    listed = listed_lines(graph)
    style, script = _source("viewer.css"), _source("viewer.js")
    data = encode_incident(incident, graph)
    page = Template(_source("viewer.html")).substitute(
        policy=_policy(style, script),
        title=text(f"{graph.task_id}: {graph.summary.status or 'no status'}"),
        style=style,
        headline=headline(graph, why),
        why=why_section(why, listed.anchors),
        run=run_list(graph, listed),
        graph=graph_svg(graph, listed.anchors),
        timeline=timeline_table(incident.timeline()),
        letters=dead_letters(graph, incident),
        evidence=evidence(graph),
        about=about(graph, incident),
        data=f'{_DATA_START}{hashlib.sha256(data.encode()).hexdigest()}">{data}</script>',
        script=script,
    )
    return page.encode()


def open_page(page: bytes) -> Incident:
    """The incident that a page holds; what else is on it is not looked at. Raises `UnreadableIncident`."""
    found = _DATA.search(page)
    if found is None:
        if _DATA_START.encode() in page:
            raise UnreadableIncident("it ends early, or is damaged")
        raise UnreadableIncident("no incident is in it")
    digest, data = found.groups()
    if hashlib.sha256(data).hexdigest() != digest.decode():
        raise UnreadableIncident("its data are not what was written: their digest is another")
    return parse_incident(data)


def _source(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _digest(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
