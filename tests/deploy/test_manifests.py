"""What deploy/ hands to relayna is what relayna takes, and what it hands to others is bounded and says no secret."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import anyio
import click
import pytest
from deploy.deploy_files import DEPLOY, documents, texts
from house.project_files import ROOT
from servers import missing_server

from relayna.api.tokens import TokenAccess
from relayna.cli.main import cli
from relayna.consumer import MemoryBroker, RelaynaClient, TaskConsumer
from relayna.observability.metrics import WorkerMetrics
from relayna.settings import Settings, load_settings
from relayna.streams import MemoryLog, Recorder

VARIABLES = {f"RELAYNA_{name.upper()}" for name in Settings.__struct_fields__} | {"RELAYNA_CONFIG"}


def compose() -> dict[str, Any]:
    return documents("compose.yaml")[0]


def manifests() -> dict[str, Any]:
    return {document["kind"]: document for document in documents("kubernetes/relayna.yaml")}


def container() -> dict[str, Any]:
    return manifests()["Deployment"]["spec"]["template"]["spec"]["containers"][0]


def commands() -> list[tuple[str, list[str]]]:
    """Every way in which something here calls relayna."""
    called = [
        ("compose.yaml", compose()["services"]["relayna"]["command"]),
        ("kubernetes", container()["args"]),
    ]
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    called += [
        ("Dockerfile", json.loads(words)) for words in re.findall(r"^CMD (\[.*\])$", dockerfile, re.MULTILINE)
    ]
    for path, text in texts():
        for line in re.findall(r"^ExecStart=\S+/relayna (.*)$", text, re.MULTILINE):
            called.append((path.name, line.split()))
        for line in re.findall(r"`relayna ([a-z][^`]*)`", text):
            called.append((path.name, line.split()))
    return called


def test_every_environment_variable_is_a_setting() -> None:
    named = {(path.name, name) for path, text in texts() for name in re.findall(r"RELAYNA_[A-Z_]+", text)}
    assert len(named) > 10
    assert {(file, name) for file, name in named if name not in VARIABLES} == set()


@pytest.mark.parametrize(
    ("where", "words"), commands(), ids=lambda value: " ".join([*value]) if isinstance(value, list) else value
)
def test_every_command_and_option_exists(where: str, words: list[str]) -> None:
    command: click.Command | None = cli
    context = click.Context(cli)
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        command, words = command.get_command(context, words[0]), words[1:]
    assert command is not None, where
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= options


def test_the_settings_of_each_are_taken_together() -> None:
    for environment in (
        compose()["services"]["relayna"]["environment"],
        compose()["services"]["worker"]["environment"],
        {one["name"]: one["value"] for one in container()["env"]},
    ):
        given = {name: value for name, value in environment.items() if name != "RELAYNA_CONFIG"}
        assert load_settings(environment=given).settings


def test_whoever_listens_openly_asks_for_a_token() -> None:
    for environment in (
        compose()["services"]["relayna"]["environment"],
        {one["name"]: one["value"] for one in container()["env"]},
    ):
        assert environment["RELAYNA_HOST"] == "0.0.0.0"
        assert environment["RELAYNA_API_TOKEN_FILE"]


def test_compose_opens_loopback_ports_alone_and_mounts_what_there_is() -> None:
    read = compose()
    for name, service in read["services"].items():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), name
        for volume in service.get("volumes", ()):
            source, _, _ = volume.partition(":")
            assert source in read["volumes"] or (DEPLOY / source).is_file(), volume
        for secret in service.get("secrets", ()):
            assert (secret if isinstance(secret, str) else secret["source"]) in read["secrets"]
        for other in service.get("depends_on", ()):
            assert other in read["services"]
    assert all(set(secret) == {"file"} for secret in read["secrets"].values())


def test_images_are_named_with_their_versions() -> None:
    images = [service["image"] for service in compose()["services"].values()] + [container()["image"]]
    images += re.findall(r"^FROM (\S+)", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    for image in images:
        tag = image.rpartition(":")[2]
        assert tag == "local" or re.match(r"v?\d+\.\d+\.\d+", tag), image


def test_the_image_runs_as_nobody_in_particular_and_holds_no_secret() -> None:
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert sum(line.startswith("FROM ") for line in lines) == 2
    assert "USER 10001:10001" in lines
    assert any(line.startswith("HEALTHCHECK ") for line in lines)
    assert not [line for line in lines if re.match(r"(ARG|ENV)\b.*(PASSWORD|TOKEN|SECRET|KEY)", line)]
    copied = {word for line in lines if re.match(r"COPY (?!--from)", line) for word in line.split()[1:-1]}
    let_in = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE))
    assert copied == let_in
    assert all((ROOT / name).exists() for name in copied)


def test_kubernetes_probes_what_there_is_and_grants_nothing() -> None:
    pod = manifests()["Deployment"]["spec"]["template"]["spec"]
    one = container()
    assert one["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert one["readinessProbe"]["httpGet"]["path"] == "/readyz"
    ports = {port["name"]: port["containerPort"] for port in one["ports"]}
    assert {
        probe["httpGet"]["port"] for probe in (one["livenessProbe"], one["readinessProbe"])
    } <= ports.keys()
    assert str(ports["http"]) == {env["name"]: env["value"] for env in one["env"]}["RELAYNA_PORT"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert not pod["automountServiceAccountToken"]
    assert one["securityContext"]["readOnlyRootFilesystem"]
    assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {"memory"} <= one["resources"]["limits"].keys()
    mounted = {mount["name"] for mount in one["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    labels = manifests()["Deployment"]["spec"]["template"]["metadata"]["labels"]
    for kind in ("Service", "PodDisruptionBudget", "ServiceMonitor"):
        selector = manifests()[kind]["spec"]["selector"]
        assert selector.get("matchLabels", selector).items() <= labels.items()
    assert (
        manifests()["PodDisruptionBudget"]["spec"]["minAvailable"]
        < manifests()["Deployment"]["spec"]["replicas"]
    )


@pytest.mark.parametrize(
    "unit", ["relayna.service", "relayna-worker@.service", "relayna-lineage-archive.service"]
)
def test_systemd_finds_the_units_well_shut(unit: str) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        missing_server("no systemd-analyze: install the package `systemd`")
    asked = [analyze, "security", "--offline=true", "--threshold=20", str(DEPLOY / "systemd" / unit)]
    found = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=60)
    assert found.returncode == 0, found.stdout[-300:] + found.stderr
    assert "Unknown key" not in found.stderr


def test_the_secrets_that_are_made_are_those_that_are_read(tmp_path: Path) -> None:
    shutil.copy(DEPLOY / "make-secrets", tmp_path)
    for _ in range(2):  # the second time changes nothing
        subprocess.run([tmp_path / "make-secrets"], check=True, capture_output=True, timeout=60)
    made = tmp_path / "secrets"
    named = {Path(secret["file"]).name for secret in compose()["secrets"].values()}
    assert {path.name for path in made.iterdir()} == named | {"reader_token"}
    assert os.stat(made).st_mode & 0o077 == 0
    settings = load_settings(environment={"RELAYNA_CONFIG": str(made / "relayna.toml")}).settings
    assert settings.redis_url is not None
    assert (made / "valkey.conf").read_text().split()[1] in settings.redis_url
    tokens = {token.name: token for token in TokenAccess(made / "tokens.toml")._tokens}
    assert tokens["prometheus"].scopes == {"metrics"}
    assert tokens["reader"].scopes == {"read"}
    values = [path.read_text() for path in made.iterdir()]
    assert len(set(values)) == len(values)


def test_what_is_served_to_prometheus_is_what_it_asks_for() -> None:
    scraped = documents("prometheus/prometheus.yml")[0]["scrape_configs"]
    targets = {job["job_name"]: job["static_configs"][0]["targets"][0] for job in scraped}
    services = compose()["services"]
    for target, variable in (
        (targets["relayna"], "RELAYNA_PORT"),
        (targets["workers"], "RELAYNA_METRICS_PORT"),
    ):
        host, _, port = target.partition(":")
        assert services[host]["environment"][variable] == port


@pytest.mark.anyio
async def test_the_demonstration_worker_works() -> None:
    spec = importlib.util.spec_from_file_location("demo_worker", DEPLOY / "demo_worker.py")
    assert spec is not None
    assert spec.loader is not None
    demo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    metrics = WorkerMetrics()
    client = RelaynaClient(
        topology=demo.topology_of(Settings()),
        broker=MemoryBroker(),
        observation_sink=Recorder(MemoryLog()),
        counters=metrics,
    )
    consumer = TaskConsumer(rabbitmq=client, handler=demo.resize)
    async with client, anyio.create_task_group() as running:
        await running.start(consumer.run)
        running.start_soon(demo.publish_for_ever, client)
        labels = {"queue": "demo.photos.resize", "outcome": "acked"}
        with anyio.fail_after(10):
            while not metrics.registry.get_sample_value("relayna_attempts_total", labels):
                await anyio.lowlevel.checkpoint()
        running.cancel_scope.cancel()
