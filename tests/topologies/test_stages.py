"""Stages and entries: one that nothing could reach is refused where it is written down."""

from __future__ import annotations

import pytest
from topologies.sample_topologies import stage

from relayna.errors import InvalidTopology
from relayna.topologies import WorkflowEntryRoute


def test_lists_become_tuples() -> None:
    assert stage(binding_keys=["scan.ingest.*", "late.#"]).binding_keys == ("scan.ingest.*", "late.#")


@pytest.mark.parametrize(
    ("changes", "field", "problem"),
    [
        ({"name": ""}, "name", "empty"),
        ({"queue": "amq.x"}, "queue", "keeps for itself"),
        ({"binding_keys": ()}, "binding_keys", "stage 'ingest' has none"),
        ({"binding_keys": "scan.#"}, "binding_keys", "not str"),
        ({"binding_keys": [""]}, "binding_keys", "empty"),
        ({"binding_keys": ["scan.#", "scan.#"]}, "binding_keys", "twice"),
        ({"publish_routing_key": "scan.*"}, "publish_routing_key", "wildcards"),
        (
            {"publish_routing_key": "other.go"},
            "publish_routing_key",
            "matches no binding key of stage 'ingest'",
        ),
    ],
)
def test_a_stage_that_cannot_work(changes: dict[str, object], field: str, problem: str) -> None:
    with pytest.raises(InvalidTopology) as refused:
        stage(**changes)
    assert refused.value.field == field
    assert problem in refused.value.problem


@pytest.mark.parametrize("field", ["name", "routing_key", "target_stage"])
def test_an_entry_needs_all_its_names(field: str) -> None:
    fields = {"name": "upload", "routing_key": "upload.new", "target_stage": "ingest", field: ""}
    with pytest.raises(InvalidTopology) as refused:
        WorkflowEntryRoute(**fields)
    assert refused.value.field == field


def test_an_entry_is_published_with_so_it_is_no_pattern() -> None:
    with pytest.raises(InvalidTopology, match="wildcards"):
        WorkflowEntryRoute(name="upload", routing_key="upload.#", target_stage="ingest")
