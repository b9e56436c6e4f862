"""Workflows: every stage can be reached, and every entry reaches the stage it names."""

from __future__ import annotations

import pytest
from topologies.sample_topologies import stage, workflow

from relayna.errors import InvalidQuery, InvalidTopology
from relayna.topologies import (
    Route,
    WorkflowEntryRoute,
    declarations,
    entry_route,
    stage_named,
    stage_route,
    topic_matches,
)


def keys_of(queue: str) -> list[str]:
    return [one.routing_key for one in declarations(workflow()).bindings if one.queue == queue]


def test_a_stage_is_found_and_reached() -> None:
    assert stage_named(workflow(), "resize") == stage("resize")
    assert stage_route(workflow(), "resize") == Route("scans", "scan.resize.go")
    assert any(topic_matches(key, "scan.resize.go") for key in keys_of("scan.resize"))


def test_an_entry_reaches_its_stage() -> None:
    assert entry_route(workflow(), "upload") == Route("scans", "upload.new")
    assert keys_of("scan.ingest") == ["scan.ingest.#", "upload.new"]


def test_lists_become_tuples() -> None:
    topology = workflow(stages=[stage()], entry_routes=[])
    assert topology.stages == (stage(),)
    assert topology.entry_routes == ()


def test_what_is_not_there() -> None:
    with pytest.raises(InvalidQuery, match="the stages are ingest, resize"):
        stage_named(workflow(), "publish")
    with pytest.raises(InvalidQuery, match="the entry routes are upload"):
        entry_route(workflow(), "download")
    with pytest.raises(InvalidQuery, match=r"none; use stage_route\(\)"):
        entry_route(workflow(entry_routes=()), "upload")


UNKNOWN = WorkflowEntryRoute(name="upload", routing_key="upload.new", target_stage="publish")
KNOWN = WorkflowEntryRoute(name="upload", routing_key="upload.new", target_stage="ingest")


@pytest.mark.parametrize(
    ("changes", "field", "problem"),
    [
        ({"workflow_exchange": ""}, "workflow_exchange", "empty"),
        ({"stages": ()}, "stages", "at least one stage"),
        ({"stages": [{}]}, "stages", "Use WorkflowStage"),
        ({"stages": [stage(), stage(queue="other")]}, "stages", "the stage 'ingest' is there twice"),
        ({"stages": [stage("ingest"), stage("resize", queue="scan.ingest")]}, "any_queue", "two purposes"),
        ({"stages": [stage(queue="status.hub")]}, "status_queue", "two purposes"),
        ({"workflow_exchange": "status"}, "workflow_exchange", "two purposes"),
        ({"entry_routes": [UNKNOWN]}, "entry_routes", "which does not exist. The stages are ingest, resize"),
        ({"entry_routes": [KNOWN, KNOWN]}, "entry_routes", "'upload' is there twice"),
        ({"entry_routes": ["upload"]}, "entry_routes", "Use WorkflowEntryRoute"),
    ],
)
def test_what_cannot_work_is_refused(changes: dict[str, object], field: str, problem: str) -> None:
    with pytest.raises(InvalidTopology) as refused:
        workflow(**changes)
    assert refused.value.field == field
    assert problem in refused.value.problem
