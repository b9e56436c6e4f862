"""The page on incidents: its programs run as they stand, and its numbers and options are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from cli.command_line import relayna
from observability.incident.incident_steps import failing_events, incident_of

from relayna.events import to_plain
from relayna.observability.incident import DEFAULT_MAX_NODES, incident_page
from relayna.observability.incident.layout import BOX_LIMIT
from relayna.observability.incident.run_list import LINE_LIMIT
from relayna.observability.incident.timeline_table import ENTRY_LIMIT

PAGE = (Path(__file__).parents[2] / "docs" / "incidents.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "program", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL), ids=["html", "jsonl"]
)
def test_its_programs_run(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    incident = incident_of(failing_events("order-7"), "order-7")
    (tmp_path / "incident.html").write_bytes(incident_page(incident))
    lines = [msgspec.json.encode(to_plain(event)) for event in incident.events()]
    (tmp_path / "incident.jsonl").write_bytes(b"\n".join(lines))
    monkeypatch.chdir(tmp_path)
    made: dict[str, object] = {}
    exec(program, made)
    assert made["graph"] == incident.graph()


def test_its_numbers_are_right() -> None:
    assert f"`--max-nodes` ({DEFAULT_MAX_NODES:,})" in PAGE
    assert f"{LINE_LIMIT:,} lines of the run, {ENTRY_LIMIT:,} of the timeline and {BOX_LIMIT} boxes" in PAGE


def test_its_options_and_formats_exist() -> None:
    told = relayna("export", "--help").stdout.decode()
    assert [option for option in re.findall(r"`(--[a-z-]+)", PAGE) if option not in told] == []
    formats = re.search(r"\[(html\|[a-z|]+)\]", told)
    assert formats is not None
    assert [one for one in formats[1].split("|") if f"`{one}`" not in PAGE] == []
