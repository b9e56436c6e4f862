"""The alert rules: Prometheus takes them, their own tests hold, and each leads to what is to be done."""

from __future__ import annotations

import re

import pytest
from deploy.deploy_files import DEPLOY, documents
from house.project_files import ROOT
from observability.metrics.promtool import ask_promtool

RULES = documents("prometheus/alerts.yml")[0]["groups"][0]["rules"]
PRIORITIES = {
    "MissingInboundEdge": "P0",
    "EmissionFailures": "P1",
    "EdgeFailuresSustained": "P2",
    "DeadLettersGrowing": "P2",
    "StoreDown": "P1",
    "RecordsDropped": "P2",
    "PartialGraphs": "P2",
    "ClockSkew": "P2",
}


def test_prometheus_takes_them() -> None:
    assert "8 rules found" in ask_promtool("check", "rules", DEPLOY / "prometheus" / "alerts.yml")


def test_each_fires_when_it_should_and_only_then() -> None:
    assert "SUCCESS" in ask_promtool("test", "rules", "alerts.test.yml", within=DEPLOY / "prometheus")


def test_those_that_are_agreed_on_are_there() -> None:
    assert {rule["alert"]: rule["labels"]["priority"] for rule in RULES} == PRIORITIES


@pytest.mark.parametrize("name", PRIORITIES)
def test_each_is_shown_to_fire_and_not_to_fire(name: str) -> None:
    asked = [
        bool(one.get("exp_alerts"))
        for test in documents("prometheus/alerts.test.yml")[0]["tests"]
        for one in test["alert_rule_test"]
        if one["alertname"] == name
    ]
    assert set(asked) == {True, False}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_leads_to_a_section_that_says_what_to_do(rule: dict[str, dict[str, str]]) -> None:
    file, _, section = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (.*)$", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    assert section in {heading.lower().replace(" ", "-") for heading in headings}
    assert rule["annotations"]["summary"].endswith(".")


def test_prometheus_takes_the_scrape_configuration() -> None:
    said = ask_promtool("check", "config", "--syntax-only", DEPLOY / "prometheus" / "prometheus.yml")
    assert "SUCCESS" in said
