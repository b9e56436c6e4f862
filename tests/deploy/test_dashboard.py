"""The dashboard loads, and every expression in it is PromQL over metrics that there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deploy.deploy_files import DEPLOY, dashboard
from observability.metrics.promtool import ask_promtool

from relayna.observability.metrics import METRICS

BY_NAME = {metric.name: metric for metric in METRICS}
SUFFIXES = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
SERIES = {metric.name + suffix for metric in METRICS for suffix in SUFFIXES[metric.kind]} | {
    "relayna_build_info"
}
SCRAPED = {"job", "instance", "le"}
"""Labels that Prometheus adds, and a histogram's own."""


def targets() -> Iterator[tuple[str, dict[str, Any]]]:
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target


def expressions() -> list[tuple[str, str]]:
    """Where each stands, and what it is, with Grafana's variables filled in as Grafana does."""
    filled = {"$__rate_interval": "1m", "$job": ".*", "$queue": ".*"}
    found = [(title, target["expr"]) for title, target in targets()]
    for variable, value in filled.items():
        found = [(title, expr.replace(variable, value)) for title, expr in found]
    return found


def test_prometheus_takes_every_expression(tmp_path: Path) -> None:
    rules = [{"record": f"expression:{n}", "expr": expr} for n, (_, expr) in enumerate(expressions())]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert "SUCCESS" in ask_promtool("check", "rules", tmp_path / "rules.yml")


def test_every_series_exists() -> None:
    named = {name for _, expr in expressions() for name in re.findall(r"relayna_\w+", expr)}
    assert named - SERIES == set()


@pytest.mark.parametrize("which", ["dashboard", "alerts.yml"])
def test_every_label_is_one_that_its_series_have(which: str) -> None:
    if which == "dashboard":
        asked = [expr for _, expr in expressions()]
    else:
        text = (DEPLOY / "prometheus" / which).read_text(encoding="utf-8")
        asked = [text[begin:] for begin in (match.start() for match in re.finditer(r"relayna_\w+", text))]
        assert {name for expr in asked for name in re.findall(r"^relayna_\w+", expr)} <= SERIES
    for expr in asked:
        for name, selector in re.findall(r"(relayna_\w+)\{([^}]*)\}", expr):
            base = next(one for one in (name, re.sub(r"_(bucket|sum|count)$", "", name)) if one in BY_NAME)
            told = set(re.findall(r"(\w+)\s*(?:=~|=|!=|!~)", selector))
            assert told <= {*BY_NAME[base].labels, *SCRAPED}, expr
    for title, expr in expressions():
        known = {label for name in re.findall(r"relayna_\w+", expr) for label in labels_of(name)}
        grouped = {label for by in re.findall(r"by \(([^)]*)\)", expr) for label in by.split(", ")}
        assert grouped <= known | SCRAPED, title


def labels_of(series: str) -> tuple[str, ...]:
    metric = BY_NAME.get(series) or BY_NAME.get(re.sub(r"_(bucket|sum|count)$", "", series))
    return metric.labels if metric else ()


def test_each_legend_names_labels_that_are_left() -> None:
    for title, target in targets():
        named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        by = {label for found in re.findall(r"by \(([^)]*)\)", target["expr"]) for label in found.split(", ")}
        assert named <= by or " by (" not in target["expr"], title


def test_it_shows_what_operators_ask_for() -> None:
    shown = " ".join(expr for _, expr in expressions())
    for name in (
        "relayna_attempts_total", "relayna_attempt_duration_seconds", "relayna_queue_wait_seconds",
        "relayna_dead_letters_total", "relayna_record_buffer_events", "relayna_spool_bytes", "relayna_store_up",
        "relayna_graphs_total", "relayna_sse_clients", "relayna_missing_inbound_edges_total",
        "relayna_emission_failures_total", "relayna_clock_skew_seconds",
    ):  # fmt: skip
        assert name in shown, name
    with_exemplars = {title for title, target in targets() if target.get("exemplar")}
    assert {"Attempt durations", "Waits in queues", "Appends", "Graph builds"} <= with_exemplars


def test_grafana_can_load_it() -> None:
    board = dashboard()
    assert (board["uid"], board["title"]) == ("relayna", "relayna")
    assert board["schemaVersion"] >= 39
    variables = {one["name"] for one in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(board["panels"])))
    assert used <= variables
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
