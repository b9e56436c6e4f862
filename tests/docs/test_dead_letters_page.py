"""docs/dead-letters.md: its routes, commands and codes are those that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from relayna.api.aliases import HttpNames
from relayna.api.dead_letters import dead_letter_endpoints
from relayna.cli.dlq_command import command
from relayna.projections.replay_plan import ReplayReason

PAGE = (Path(__file__).parents[2] / "docs" / "dead-letters.md").read_text(encoding="utf-8")


def test_every_route_is_told() -> None:
    told = {
        path.replace("TASK", "{task_id:path}").replace("LETTER", "{dead_letter_id}")
        for path in re.findall(r"`(?:GET|POST) (/executions/\S+)`", PAGE)
    }
    endpoints = dead_letter_endpoints(lambda caller: None, HttpNames(None))  # type: ignore[arg-type, return-value]
    assert told == {endpoint.path for endpoint in endpoints if not endpoint.name.endswith("_by_query")}
    for endpoint in endpoints:
        if endpoint.name.endswith("_by_query"):
            assert endpoint.path.rpartition("/executions/dead-letters")[2] in PAGE


def test_every_command_is_told() -> None:
    told = set(re.findall(r"relayna dlq (\w+) TASK", PAGE))
    assert told == set(command.commands)  # type: ignore[attr-defined]


def test_every_reason_of_a_plan_is_among_the_codes() -> None:
    codes = set(re.findall(r"`(\w+)`", PAGE[PAGE.index("| answer |") : PAGE.index("## Who did what")]))
    assert set(get_args(ReplayReason)) - {"not_found"} <= codes
