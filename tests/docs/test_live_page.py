"""The JavaScript of docs/live.md runs as it stands, and holds the very graph after every patch."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from projections.random_histories import random_history

from relayna.observability.live import LiveEnd, LiveGap, LiveStatus
from relayna.projections.execution import GraphQuery
from relayna.projections.graph import ExecutionGraph
from relayna.projections.graph_patch import GraphPatch, diff_graphs
from relayna.projections.registry import PROJECTIONS

PAGE = (Path(__file__).parents[2] / "docs" / "live.md").read_text(encoding="utf-8")

RUN = """
import { follow } from "./patches.js";

class Told {
  constructor(url) { this.acts = {}; this.closed = false; }
  addEventListener(name, act) { this.acts[name] = act; }
  close() { this.closed = true; }
}

const { events } = JSON.parse(await new Promise((done) => {
  let text = "";
  process.stdin.on("data", (part) => (text += part)).on("end", () => done(text));
}));
const shown = [];
const source = follow("/executions/root/live", (graph) => shown.push(JSON.stringify(graph)), Told);
for (const [name, data] of events) source.acts[name]?.({ data });
console.log(JSON.stringify({ shown, closed: source.closed }));
"""


def graphs_of(seed: int) -> list[ExecutionGraph]:
    """A run as it goes on, with its last third recorded first: children come late, and nodes are renumbered."""
    projection = PROJECTIONS[0]
    events = random_history(seed)
    events = events[-len(events) // 3 :] + events[: -len(events) // 3]
    graphs = []
    for cut in range(1, len(events) + 1, 3):
        state = projection.initial("root")
        for event in events[:cut]:
            projection.apply(state, event)
        graphs.append(projection.finish(state, GraphQuery()))
    return graphs


def told(graphs: Sequence[ExecutionGraph]) -> list[tuple[str, str]]:
    events: list[tuple[str, str]] = [("snapshot", text_of(graphs[0]))]
    for older, newer in itertools.pairwise(graphs):
        events.append(("patch", text_of(diff_graphs(older, newer))))
    return [*events, ("status", '{"status":"completed","store":"up"}'), ("end", '{"reason":"finished"}')]


def text_of(body: object) -> str:
    return msgspec.json.encode(body).decode()


@pytest.mark.parametrize("seed", range(3))
def test_the_client_of_the_page_holds_every_version(seed: int, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        assert os.environ.get("CI") != "true", "node is not installed"
        pytest.skip("node is not installed; the page's JavaScript needs it")
    [script] = re.findall(r"```js\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "patches.js").write_text(script)
    (tmp_path / "run.js").write_text(RUN)
    graphs = graphs_of(seed)
    done = subprocess.run(
        [node, "run.js"],
        cwd=tmp_path,
        input=json.dumps({"events": told(graphs)}),
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout)

    assert answer["closed"]
    assert len(answer["shown"]) == len(graphs)
    for shown, graph in zip(answer["shown"], graphs, strict=True):
        assert in_order(shown) == in_order(text_of(graph))


def in_order(text: str) -> object:
    """JSON in which the order of fields counts."""
    return json.loads(text, object_pairs_hook=list)


def test_the_page_names_every_field() -> None:
    for told_in in (GraphPatch, LiveStatus, LiveGap, LiveEnd):
        for name in told_in.__struct_fields__:
            assert f"`{name}`" in PAGE or f'"{name}"' in PAGE, name
