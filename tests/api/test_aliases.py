"""Task ids under another name: in paths, in query strings, and at every level of a graph's JSON."""

from __future__ import annotations

import json

import pytest
from api.serving import Serve, record, task

from relayna.api import RelaynaRuntime, create_app, create_execution_router
from relayna.errors import InvalidSetting
from relayna.observability import ExecutionGraphService, StatusStore
from relayna.streams import Append, Log
from relayna.topologies import ContractAliasConfig

pytestmark = pytest.mark.anyio

JOBS = ContractAliasConfig(http_aliases={"task_id": "job_id"}, field_aliases={"task_id": "jobId"})


async def test_a_graph_calls_its_tasks_as_the_contract_does(serve: Serve, log: Log) -> None:
    await record(log, "order-7", "processing")
    await StatusStore(log).add_status("order-7", "half", meta={"task_id": "mine"})
    async with log:
        await log.append([Append(task("order-7"), b"no frame")])
    plain = await serve(create_app(RelaynaRuntime(log=log)))
    named = await serve(create_app(RelaynaRuntime(log=log), aliases=JOBS))
    expected = (await plain.get("/executions/order-7/graph")).json()
    answers = [
        await named.get("/executions/order-7/graph"),
        await named.get("/executions/graph?job_id=order-7"),
    ]
    for answer in answers:
        graph = answer.json()
        assert graph["jobId"] == "order-7"
        assert {node["jobId"] for node in graph["nodes"]} == {"order-7"}
        assert [node["annotations"] for node in graph["nodes"]] == [
            node["annotations"] for node in expected["nodes"]
        ]
        back = json.dumps(graph).replace('"jobId":', '"task_id":')
        assert json.loads(back) == expected
        assert {one["jobId"] for one in graph["annotations"]["warnings"]} == {"order-7"}
    assert '"task_id": "mine"' in json.dumps(graph)


async def test_the_other_name_is_the_one_that_is_asked_for(serve: Serve, log: Log) -> None:
    named = await serve(create_app(RelaynaRuntime(log=log), aliases=JOBS))
    answer = await named.get("/executions/graph?task_id=order-7")
    assert answer.status_code == 422
    assert (
        "Parameter 'job_id': nothing is given; ask as in /executions/graph?job_id=order-7"
        in answer.json()["detail"]
    )
    answer = await named.get("/executions/%ff/graph")
    assert "Parameter 'job_id': is not UTF-8" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("aliases", "setting"),
    [
        (ContractAliasConfig(http_aliases={"task_id": "depth"}), "http_aliases"),
        (ContractAliasConfig(field_aliases={"task_id": "id"}), "field_aliases"),
        (ContractAliasConfig(field_aliases={"task_id": "detail"}), "field_aliases"),
    ],
)
async def test_names_that_mean_something_else(aliases: ContractAliasConfig, setting: str, log: Log) -> None:
    with pytest.raises(InvalidSetting, match="something else") as refused:
        create_execution_router(execution_graph_service=ExecutionGraphService(log=log), aliases=aliases)
    assert refused.value.name == setting
