"""`relayna demo`: what a newcomer sees first, played through real consumers on a real server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cli.command_line import environment, hear_interrupts, relayna
from rabbitmq_server import RabbitMQ
from servers import Servers

Graph = dict[str, Any]


@pytest.fixture(scope="module")
def graphs(servers: Servers) -> dict[str, Graph]:
    servers.url(servers.first_present())  # skips, or fails under CI, where there is no server
    run = relayna("demo", "--once", "--json")
    assert run.returncode == 0, run.stderr
    printed: dict[str, dict[str, Graph]] = json.loads(run.stdout)
    assert list(printed) == ["graphs"]
    return printed["graphs"]


def kinds(graph: Graph, of: str) -> Counter[str]:
    return Counter(item["kind"] for item in graph[of])


def births(graph: Graph) -> Counter[str]:
    return Counter(
        edge["target"]
        for edge in graph["edges"]
        if edge["kind"] in ("received_by", "entered_stage", "manual_retry_to", "replayed_as")
        and edge["annotations"].get("birth", True)
    )


def test_there_is_one_graph_for_each_family(graphs: dict[str, Graph]) -> None:
    assert list(graphs) == ["shared", "routed", "sharded_aggregation", "workflow"]
    for graph in graphs.values():
        assert graph["summary"]["graph_completeness"] == "full", graph["annotations"]
        assert "warnings" not in graph["annotations"]
        attempts = [node["id"] for node in graph["nodes"] if node["kind"].endswith("_attempt")]
        assert all(births(graph)[attempt] == 1 for attempt in attempts)


def test_shared_ends_dead_after_two_retries(graphs: dict[str, Graph]) -> None:
    graph = graphs["shared"]
    assert graph["topology_kind"] == "shared_tasks_shared_status"
    assert graph["summary"]["status"] == "failed"
    assert kinds(graph, "nodes") == {
        "task": 1,
        "task_attempt": 3,
        "retry": 2,
        "dlq_record": 1,
        "status_event": 9,
    }
    assert kinds(graph, "edges")["retried_as"] == 2
    assert kinds(graph, "edges")["dead_lettered_to"] == 1


def test_routed_goes_on_as_another_type_on_a_clock_that_is_off(graphs: dict[str, Graph]) -> None:
    graph = graphs["routed"]
    assert graph["summary"]["status"] == "completed"
    assert kinds(graph, "edges")["manual_retry_to"] == 1
    types = [node["annotations"]["task_type"] for node in graph["nodes"] if node["kind"] == "task_attempt"]
    assert types == ["resize", "resize-large"]
    assert graph["summary"]["duration_ms"] > 89_000  # the raw times are shown, and the clock was 90 s fast


def test_the_report_fails_with_one_of_forty_pages(graphs: dict[str, Graph]) -> None:
    graph = graphs["sharded_aggregation"]
    assert graph["summary"]["status"] == "failed"
    assert kinds(graph, "nodes")["aggregation_child"] == 40
    assert kinds(graph, "nodes")["dlq_record"] == 1
    assert kinds(graph, "edges")["aggregated_into"] == 40
    assert len(graph["related_task_ids"]) == 40
    states = Counter(
        node["annotations"]["state"] for node in graph["nodes"] if node["kind"] == "aggregation_child"
    )
    assert states == {"succeeded": 39, "failed": 1}


def test_the_workflow_has_four_stages_and_joins(graphs: dict[str, Graph]) -> None:
    graph = graphs["workflow"]
    assert graph["summary"]["status"] == "completed"
    stages = Counter(
        node["annotations"]["stage"] for node in graph["nodes"] if node["kind"] == "stage_attempt"
    )
    assert stages == {"validate": 1, "charge": 2, "pack": 1, "ship": 2}
    assert kinds(graph, "nodes")["workflow_message"] == 5
    assert kinds(graph, "edges")["joined_from"] == 1
    observed = [edge for edge in graph["edges"] if edge["annotations"]["evidence"] == "observed"]
    assert len(observed) == len(graph["edges"])


def test_once_draws_the_failing_run_and_lists_the_others(servers: Servers) -> None:
    run = relayna("demo", "--once", RELAYNA_REDIS_URL=servers.url(servers.first_present()))
    assert run.returncode == 0, run.stderr
    text = run.stdout.decode()
    assert "✗ failed" in text
    assert "39 children succeeded" in text
    assert "no such chart: revenue-eu" in text
    for task_id in ("invoice-1041", "invoice-1042", "invoice-1043", "photo-7", "order-77"):
        assert task_id in text
    assert run.stderr == b""


def test_keep_leaves_the_data_where_it_was_asked(tmp_path: Path, servers: Servers) -> None:
    servers.url(servers.first_present())
    kept = tmp_path / "kept"
    assert relayna("demo", "--once", "--json", "--keep", str(kept)).returncode == 0
    assert any("appendonly" in path.name for path in kept.rglob("*"))


@pytest.fixture(scope="module")
def played_on_rabbitmq(servers: Servers, rabbitmq: RabbitMQ) -> subprocess.CompletedProcess[bytes]:
    return relayna(
        "demo",
        "--once",
        "--json",
        "--amqp",
        rabbitmq.url,
        RELAYNA_REDIS_URL=servers.url(servers.first_present()),
    )


@pytest.mark.rabbitmq
def test_on_rabbitmq_the_same_happens(
    played_on_rabbitmq: subprocess.CompletedProcess[bytes], graphs: dict[str, Graph]
) -> None:
    [told] = played_on_rabbitmq.stderr.splitlines()  # the channel whose ack got lost
    assert told.endswith(b"was interrupted; taking it up again")
    assert played_on_rabbitmq.returncode == 0
    played = json.loads(played_on_rabbitmq.stdout)["graphs"]
    assert list(played) == list(graphs)
    for name, graph in played.items():
        assert graph["summary"]["status"] == graphs[name]["summary"]["status"]
        assert graph["summary"]["graph_completeness"] == "full", graph["annotations"]
        assert kinds(graph, "nodes") == kinds(graphs[name], "nodes"), name


@pytest.mark.rabbitmq
def test_on_rabbitmq_nothing_is_left_behind(
    played_on_rabbitmq: subprocess.CompletedProcess[bytes], rabbitmq: RabbitMQ
) -> None:
    assert played_on_rabbitmq.returncode == 0
    left = rabbitmq.node.control("list_queues", "name") + rabbitmq.node.control("list_exchanges", "name")
    assert ".demo-" not in left


@pytest.mark.rabbitmq
def test_a_rabbitmq_that_cannot_be_had_is_named(rabbitmq: RabbitMQ, servers: Servers) -> None:
    wrong = rabbitmq.node.url.replace(rabbitmq.node.password, "wrong")
    run = relayna("demo", "--once", "--amqp", wrong, RELAYNA_REDIS_URL=servers.url(servers.first_present()))
    assert run.returncode == 1
    [told] = run.stderr.splitlines()
    assert told.startswith(b"relayna: The broker refused the connection to ")
    assert b"wrong" not in told


def test_what_is_no_amqp_url_is_refused() -> None:
    run = relayna("demo", "--once", "--amqp", "http://localhost")
    assert run.returncode == 2
    assert b"Invalid value for --amqp: it does not begin with amqp://" in run.stderr


def test_it_serves_until_interrupted(servers: Servers) -> None:
    variables = environment(RELAYNA_REDIS_URL=servers.url(servers.first_present()), RELAYNA_PORT="0")
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "relayna.cli.main", "demo"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=variables,
        text=True,
        preexec_fn=hear_interrupts,  # noqa: PLW1509 - it only sets a flag of the child
    ) as process:
        assert process.stderr is not None
        try:
            told = next(line for line in process.stderr if "curl" in line)
            quoted = told.split()[1]
            assert (quoted[0], quoted[-1]) == ("'", "'")  # a shell would look for files that fit the "?"
            url = quoted[1:].partition("/executions")[0]
            answer = httpx2.get(f"{url}/executions/invoice-1043/graph", timeout=30)
            assert answer.status_code == 200
            attempts = [node for node in answer.json()["nodes"] if node["kind"] == "task_attempt"]
            assert [attempt["annotations"]["anomalies"] for attempt in attempts] == [["lost_ack"]]
            assert httpx2.get(f"{url}/livez", timeout=30).status_code == 200
        finally:
            os.kill(process.pid, signal.SIGINT)
            process.wait(timeout=30)
        assert "Traceback" not in process.stderr.read()
    assert process.returncode == 130


def test_a_closed_pipe_is_quiet(servers: Servers) -> None:
    variables = environment(RELAYNA_REDIS_URL=servers.url(servers.first_present()))
    with subprocess.Popen(
        [sys.executable, "-m", "relayna.cli.main", "demo", "--once"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=variables,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        talk = process.stderr.read()
    assert talk == b""
    assert process.returncode == 0
