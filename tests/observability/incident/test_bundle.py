"""An incident's JSON gives the same graph back, in letters that harm no page; what is none is refused."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from observability.incident.incident_steps import ORIGIN, failing_events, incident_of
from projections.random_histories import random_history

from relayna.observability.incident import Incident, UnreadableIncident, graph_digest
from relayna.observability.incident.bundle import encode_incident, own_name, parse_incident
from relayna.projections.graph import encode_graph
from relayna.testing import history


def back(incident: Incident) -> Incident:
    return parse_incident(encode_incident(incident, incident.graph()).encode())


@given(seed=st.integers(0, 2**32), max_nodes=st.sampled_from([1, 7, 2_000]), depth=st.integers(0, 3))
@settings(max_examples=25)
def test_it_gives_the_same_graph_back(seed: int, max_nodes: int, depth: int) -> None:
    incident = incident_of(random_history(seed), "root", max_nodes=max_nodes, depth=depth)
    graph, again = incident.graph(), back(incident)
    assert encode_graph(again.graph()) == encode_graph(graph)
    assert again.folded_as == graph_digest(graph)
    assert again.origin == ORIGIN
    assert again.timeline() == incident.timeline()
    assert encode_incident(again, again.graph()) == encode_incident(incident, graph)


def test_what_was_left_out_is_told_again() -> None:
    attempt = history("T", lifecycle_statuses=False).published().attempt()
    for number in range(21_000):
        attempt.status(f"step {number}")
    incident = incident_of(attempt.events, max_nodes=50, together=200)
    graph = incident.graph()
    assert graph.annotations["truncated"]["events"]["streams_cut"] == 1
    assert encode_graph(back(incident).graph()) == encode_graph(graph)


def test_it_is_ascii_that_ends_no_element() -> None:
    events = (
        history("T").published().attempt().status("</script><!-- \x00\u202e\u2028🧵 & \x7f").acked().events
    )
    written = encode_incident(incident_of(events), incident_of(events).graph())
    assert written.isascii()
    assert written.isprintable()
    assert not set("<>&") & set(written)
    assert "</script><!-- \x00\u202e\u2028🧵 & \x7f" in [
        one.get("status") for one in json.loads(written)["events"]
    ]


WRITTEN = json.loads(encode_incident(incident_of(failing_events()), incident_of(failing_events()).graph()))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "damaged"),
        (b"[" * 100_000, "damaged"),
        (b"{}", "not of an incident"),
        (msgspec.json.encode({**WRITTEN, "version": 2}), "version is 2"),
        (msgspec.json.encode({**WRITTEN, "version": "x"}), "damaged"),
        (msgspec.json.encode({**WRITTEN, "events": [{}]}), "damaged"),
        (msgspec.json.encode({**WRITTEN, "facts": [{"task_id": "T", "name": "x"}]}), "damaged"),
        (msgspec.json.encode({**WRITTEN, "depth": 1_000}), "depth"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_none_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(UnreadableIncident, match=problem):
        parse_incident(data)


def test_it_is_named_who_made_it() -> None:
    assert own_name().startswith("relayna")
